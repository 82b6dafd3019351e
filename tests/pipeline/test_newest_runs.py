"""The newest runs are told from the newest records alone, as the list of all runs tells them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from oneledger.outcomes import Outcome, record_outcome
from oneledger.pipeline.runs import list_runs, newest_runs
from oneledger.settings import Settings

NIGHTS = 6


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Six nights; the last but one began before the last and ended after it."""
    settings = Settings(home=tmp_path)
    for night in range(NIGHTS):
        began = dt.datetime(2026, 11, 1 + night, 2, tzinfo=dt.UTC)
        run_id = f"{began:%Y%m%dT%H%M%SZ}-aaaaaa"
        for number, step in enumerate(("extract", "admit", "gate_sources", "build_models", "gate_marts", "publish")):
            hours = 25 if night == NIGHTS - 2 and step == "publish" else 0
            started = began + dt.timedelta(hours=hours, minutes=number)
            outcome = Outcome(run_id, step, "good", started_at=started, ended_at=started + dt.timedelta(seconds=30))
            outcome.outcome_id = f"{started:%Y%m%dT%H%M%S%f}-{number:08x}"
            record_outcome(outcome, settings.outcomes_dir)
    return settings


@pytest.mark.parametrize("limit", [1, 2, 4, NIGHTS, 50])
def test_they_are_the_first_of_all_runs(settings: Settings, limit: int) -> None:
    assert newest_runs(settings, limit) == list_runs(settings)[:limit]


def test_older_records_are_not_read(settings: Settings) -> None:
    oldest = min(settings.outcomes_dir.glob("*/*.json"))
    oldest.write_text("not JSON")
    assert len(newest_runs(settings, 3)) == 3


def test_no_record_is_no_run(tmp_path: Path) -> None:
    assert newest_runs(Settings(home=tmp_path), 3) == []
