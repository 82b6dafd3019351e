"""The steps of the nightly in their order, each callable by itself: by the command line, by Airflow, by a test."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from oneledger.catalogue import Catalogue
from oneledger.outcomes import Outcome
from oneledger.publishing.versions import PublishedVersion
from oneledger.quality.checks import GateReport
from oneledger.settings import ConfigurationError, Settings

StepName = Literal["ingest", "admit", "gate_sources", "build_models", "gate_marts", "publish"]
STEPS: tuple[StepName, ...] = ("ingest", "admit", "gate_sources", "build_models", "gate_marts", "publish")
TITLES: dict[StepName, tuple[str, str]] = {
    "ingest": ("采集", "fetch and land"),
    "admit": ("准入", "type, check, quarantine"),
    "gate_sources": ("来源闸门", "check what was admitted"),
    "build_models": ("建模", "build the marts"),
    "gate_marts": ("集市闸门", "check the marts"),
    "publish": ("发布", "put a version in place"),
}
Say = Callable[[str], None]


def _silent(_: str) -> None:
    """No progress wanted."""


@dataclass(frozen=True)
class Steps:
    """One installation and one run; each method is one step and records its own outcomes.

    ``sources`` are the sources that take part; None means all that are connected.
    """

    settings: Settings
    catalogue: Catalogue
    run_id: str
    sources: Collection[str] | None = None
    say: Say = _silent

    def ingest(self, source: str) -> list[Outcome]:
        """Fetch, land and convert what is new of one source."""
        from oneledger.pipeline.ingest import ingest_source

        def report(source_id: str, entity: str, message: str, rows: int | None) -> None:
            self.say(f"{source_id}.{entity}: {message}" + (f" ({rows:,})" if rows is not None else ""))

        return ingest_source(source, self.settings, self.catalogue, run_id=self.run_id, progress=report)

    def admit(self) -> list[Outcome]:
        """Raw batches to typed rows, the broken ones to quarantine."""
        from oneledger.warehouse.admission import admit

        return admit(self.settings, self.catalogue, run_id=self.run_id, progress=self.say)

    def gate_sources(self) -> GateReport:
        """Check what was admitted."""
        from oneledger.quality.gates import run_gate

        return run_gate("sources", self.settings, self.catalogue, run_id=self.run_id, sources=self.sources)

    def build_models(self) -> Outcome:
        """Build the models that the admitted changes concern."""
        from oneledger.warehouse.models import build_models

        return build_models(self.settings, run_id=self.run_id, progress=self.say)

    def gate_marts(self) -> GateReport:
        """Check the marts against each other and against the published version."""
        from oneledger.quality.gates import run_gate

        return run_gate("marts", self.settings, self.catalogue, run_id=self.run_id, sources=self.sources)

    def publish(self) -> PublishedVersion:
        """Put a new version in place, or find that nothing changed."""
        from oneledger.publishing.publish import publish

        return publish(self.settings, run_id=self.run_id, progress=self.say)


def steps_from(name: str | None) -> tuple[StepName, ...]:
    """The steps from this one on; all for None.

    Raises:
        ConfigurationError: there is no such step.
    """
    if name is None:
        return STEPS
    for position, step in enumerate(STEPS):
        if step == name:
            return STEPS[position:]
    raise ConfigurationError(f"There is no step {name!r}; the steps are {', '.join(STEPS)}.")
