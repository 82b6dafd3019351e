"""How long each step of a run is going to take, from the run that made the published version.

What admission and the gate over the sources take goes by the rows that arrive; what models, the gate over the marts and
publishing take does not, for they work on months and on what is known of apps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from oneledger.outcomes import read_outcomes
from oneledger.pipeline.steps import STEPS, StepName
from oneledger.publishing.versions import current_version
from oneledger.settings import Settings

_STEP_OF: Mapping[str, StepName] = {
    "extract": "ingest", "load_raw": "ingest", "admit": "admit", "gate_sources": "gate_sources",
    "build_models": "build_models", "gate_marts": "gate_marts", "publish": "publish",
}  # fmt: skip
_BY_ROWS = ("admit", "gate_sources")
_UNDONE = ("failed", "skipped", "unchanged")


@dataclass(frozen=True)
class ExpectedSeconds:
    """Seconds of each step the last time, and the rows that arrived then; empty when there was no last time."""

    seconds: Mapping[StepName, float]
    rows: int = 0

    def of(self, step: StepName, rows: int | None) -> float | None:
        """Seconds that ``step`` is going to take; ``rows`` have arrived this time (None: not known yet)."""
        known = self.seconds.get(step)
        if known is None or step not in _BY_ROWS or not rows or not self.rows:
            return known
        return known * rows / self.rows

    def after(self, step: StepName, rows: int | None) -> float | None:
        """Seconds of all steps that follow ``step``; None when one of them is not known."""
        following = [self.of(one, rows) for one in STEPS[STEPS.index(step) + 1 :]]
        return None if any(one is None for one in following) else sum(one or 0.0 for one in following)


def expected_seconds(settings: Settings) -> ExpectedSeconds:
    """What is to be expected of the next run in this installation."""
    version = current_version(settings)
    run_id = version.manifest.get("run_id") if version else None
    return seconds_of(read_outcomes(settings.outcomes_dir, run_id)) if run_id else ExpectedSeconds({})


def seconds_of(records: Iterable[Mapping[str, Any]]) -> ExpectedSeconds:
    """The seconds of each step of a run, from the first beginning to the last end in its outcome records."""
    spans: dict[StepName, tuple[dt.datetime, dt.datetime]] = {}
    rows = 0
    for record in records:
        step = _STEP_OF.get(record["step"])
        if step is None or record["verdict"] in _UNDONE:
            continue
        begun, ended = (dt.datetime.fromisoformat(record[key]) for key in ("started_at", "ended_at"))
        first, last = spans.get(step, (begun, ended))
        spans[step] = (min(first, begun), max(last, ended))
        if step == "admit":
            rows += record["received_count"] or 0
    return ExpectedSeconds({step: (last - first).total_seconds() for step, (first, last) in spans.items()}, rows)
