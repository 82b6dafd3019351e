"""Outcome records: what one step did with one batch, entity or model, whether it worked or not.

Each record is one JSON file, written atomically, so that steps in many processes can record without
a shared lock. Status, the run's verdict and ``marts.run_outcome`` are computed from these records.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from oneledger.redacting import redacted, redacted_values

Verdict = Literal["good", "warning", "failed", "unchanged", "skipped"]
STEPS = ("extract", "load_raw", "admit", "gate_sources", "build_models", "gate_marts", "publish")


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def new_run_id() -> str:
    """A run id that sorts by time: ``20261124T031500Z-1a2b3c``."""
    return f"{utc_now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


@dataclass
class Outcome:
    """One outcome record.

    Counts are rows; ``None`` means that the step does not count them. Instants are UTC.
    ``received_count = accepted_count + quarantined_count + superseded_count`` for step ``admit``.
    """

    run_id: str
    step: str
    verdict: Verdict
    source: str | None = None
    entity: str | None = None
    batch_id: str | None = None
    business_on: dt.date | None = None
    received_count: int | None = None
    accepted_count: int | None = None
    quarantined_count: int | None = None
    superseded_count: int | None = None
    message: str = ""
    remedy: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    started_at: dt.datetime = field(default_factory=utc_now)
    ended_at: dt.datetime | None = None
    outcome_id: str = field(default_factory=lambda: f"{utc_now():%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        if self.step not in STEPS:
            raise ValueError(f"step is {self.step!r}; it must be one of {', '.join(STEPS)}")

    def to_json(self) -> dict[str, Any]:
        record = dataclasses.asdict(self)
        for key in ("business_on", "started_at", "ended_at"):
            record[key] = record[key].isoformat() if record[key] is not None else None
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Outcome:
        """The outcome that ``to_json`` gave."""
        business_on = record["business_on"]
        instants = {
            name: dt.datetime.fromisoformat(record[name]) if record[name] else None
            for name in ("started_at", "ended_at")
        }
        return cls(**{**record, **instants, "business_on": dt.date.fromisoformat(business_on) if business_on else None})


def is_recorded(outcome: Outcome, outcomes_dir: Path) -> bool:
    """Whether the record of this outcome is written."""
    return (outcomes_dir / f"{outcome.started_at:%Y-%m}" / f"{outcome.outcome_id}.json").is_file()


def record_outcome(outcome: Outcome, outcomes_dir: Path, *, is_flushed: bool = True) -> Outcome:
    """Write the record; sets ``ended_at`` when it is not set. Returns the outcome.

    Its texts are freed of secrets first: a source's error may repeat the token or the address that it was given.

    ``is_flushed=False`` leaves the flush to the disk to the caller, for many records at once.
    """
    outcome.ended_at = outcome.ended_at or utc_now()
    outcome.message, outcome.remedy = redacted(outcome.message), redacted(outcome.remedy)
    outcome.detail = redacted_values(outcome.detail)
    folder = outcomes_dir / f"{outcome.started_at:%Y-%m}"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{outcome.outcome_id}.json"
    partial = folder / f".{outcome.outcome_id}.partial"
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(outcome.to_json(), ensure_ascii=False))
        stream.flush()
        if is_flushed:
            os.fsync(stream.fileno())
    partial.rename(target)
    return outcome


def read_outcomes(outcomes_dir: Path, run_id: str | None = None) -> Iterator[dict[str, Any]]:
    """All records in the order in which they were made, of one run when ``run_id`` is given.

    A run's records are younger than the run: those of the years before it are not opened.
    """
    since = _day_before(run_id) if run_id else ""
    found = (path for path in outcomes_dir.glob("*/*.json") if path.name >= since)
    for path in sorted(found, key=lambda one: one.name):
        record = json.loads(path.read_text(encoding="utf-8"))
        if run_id is None or record["run_id"] == run_id:
            yield record


def _day_before(run_id: str) -> str:
    """The day before a run began, as names of records begin (clocks are set back); empty for an id without a day."""
    try:
        begun = dt.datetime.strptime(run_id[:8], "%Y%m%d")  # noqa: DTZ007 - a day, compared with days
    except ValueError:
        return ""
    return f"{begun - dt.timedelta(days=1):%Y%m%d}"
