"""Work that goes on for minutes says how long it still takes."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from oneledger.cli.nightly import time_left
from oneledger.outcomes import read_outcomes
from oneledger.pipeline.expected_seconds import ExpectedSeconds, seconds_of
from oneledger.pipeline.nightly import Progress
from oneledger.time_left import TimeLeft, about

BEGUN = dt.datetime(2022, 11, 1, 2, tzinfo=dt.UTC)


def _record(step: str, begin: int, end: int, rows: int = 0, verdict: str = "good") -> dict[str, Any]:
    return {
        "step": step, "verdict": verdict, "received_count": rows,
        "started_at": (BEGUN + dt.timedelta(seconds=begin)).isoformat(),
        "ended_at": (BEGUN + dt.timedelta(seconds=end)).isoformat(),
    }  # fmt: skip


NIGHT = seconds_of([
    _record("extract", 0, 10), _record("load_raw", 5, 30), _record("admit", 30, 60, 600), _record("admit", 30, 90, 400),
    _record("gate_sources", 90, 110), _record("build_models", 110, 150), _record("gate_marts", 150, 160),
    _record("publish", 160, 200), _record("build_models", 900, 990, verdict="failed"),
])  # fmt: skip


def test_what_arrived_decides_admission_and_its_gate_and_nothing_else() -> None:
    assert (NIGHT.of("ingest", 2000), NIGHT.of("build_models", 2000), NIGHT.of("publish", None)) == (30, 40, 40)
    assert (NIGHT.of("admit", 2000), NIGHT.of("gate_sources", 500), NIGHT.of("admit", None)) == (120, 10, 60)
    assert NIGHT.after("build_models", 1000) == 10 + 40


def test_before_the_first_night_nothing_is_promised() -> None:
    nothing = ExpectedSeconds({})
    assert nothing.of("publish", 5) is None
    assert nothing.after("ingest", 5) is None
    assert time_left(Progress("publish", "", 3.0, None)) == ""


def test_a_line_says_what_is_left_of_the_step_and_of_the_run() -> None:
    line = Progress("admit", "…", 20.0, "gate_sources", step_seconds_left=40.0, run_seconds_left=150.0)
    assert time_left(line) == ", about 40 s left, about 2 min of the run"


def test_known_amounts_go_by_the_speed_so_far() -> None:
    now = 100.0
    left = TimeLeft(lambda: now)
    assert left.after(0, 10) is None
    now = 130.0
    assert left.after(3, 12) == pytest.approx(90)
    assert left.words(3, 12) == ", about 2 min left"
    assert left.words(3, None) == ""
    assert left.after(13, 12) == 0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "about 1 s"), (89, "about 89 s"), (200, "about 3 min"), (7800, "about 2 h 10 min"), (7200, "about 2 h")],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert about(seconds) == said


def test_records_of_the_years_before_a_run_are_not_opened(tmp_path: Path) -> None:
    for name, run_id in (("20211101T000000000000-a", "old"), ("20221031T230000000000-b", "20221101T020000Z-1")):
        folder = tmp_path / f"{name[:4]}-{name[4:6]}"
        folder.mkdir()
        (folder / f"{name}.json").write_text(json.dumps({"run_id": run_id}), "utf-8")
    (tmp_path / "2021-11" / "20211101T000000000000-a.json").write_text("{ not read", "utf-8")
    assert [one["run_id"] for one in read_outcomes(tmp_path, "20221101T020000Z-1")] == ["20221101T020000Z-1"]
