"""What the night's outcome records say, whatever colour the tasks have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from oneledger.outcomes import Outcome, Verdict, read_outcomes, record_outcome
from oneledger_airflow.arrivals import arrivals
from oneledger_airflow.nightly_report import verdict_of

STEPS = ("extract", "load_raw", "admit", "gate_sources", "build_models", "gate_marts", "publish")
NOW = dt.datetime.now(dt.UTC)


def recorded(folder: Path, outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    for outcome in outcomes:
        record_outcome(outcome, folder)
    return list(read_outcomes(folder))


def night(**verdicts: str) -> Iterator[Outcome]:
    """One record a step, made when it is asked for; ``absent`` leaves the step out."""
    for step in STEPS:
        verdict = verdicts.get(step, "good")
        if verdict != "absent":
            source = "irs" if step in STEPS[:3] else None
            yield Outcome("run", step, cast(Verdict, verdict), source=source, entity="app")


def test_a_night_is_good_when_every_step_recorded_a_good_outcome(tmp_path: Path) -> None:
    assert verdict_of(recorded(tmp_path, night())).name == "good"


def test_a_warning_is_told_apart_from_good(tmp_path: Path) -> None:
    verdict = verdict_of(recorded(tmp_path, night(gate_sources="warning")))
    assert (verdict.name, verdict.is_good) == ("good_with_warnings", True)


def test_a_failed_outcome_makes_the_night_failed_and_says_why(tmp_path: Path) -> None:
    failed = Outcome("run", "gate_marts", "failed", message="a mart shrank", remedy="ask the owner")
    verdict = verdict_of(recorded(tmp_path, [*night(gate_marts="absent"), failed]))
    assert verdict.name == "failed"
    assert "a mart shrank ask the owner" in verdict.problems[0]


def test_a_step_that_left_no_record_is_a_failure(tmp_path: Path) -> None:
    verdict = verdict_of(recorded(tmp_path, night(publish="absent")))
    assert verdict.name == "failed"
    assert verdict.problems == ("publish: no outcome record, so nothing shows that it ran",)


def test_a_second_try_that_worked_replaces_the_first_that_failed(tmp_path: Path) -> None:
    first = Outcome("run", "extract", "failed", source="irs", entity="app", message="timed out")
    assert verdict_of(recorded(tmp_path, [first, *night()])).name == "good"


def test_no_record_at_all_is_a_failure() -> None:
    assert verdict_of([]).name == "failed"


def test_the_cut_off_names_the_source_that_failed_and_the_one_that_never_tried(tmp_path: Path) -> None:
    records = recorded(
        tmp_path,
        [
            Outcome("run", "extract", "good", source="irs", entity="app"),
            Outcome("run", "extract", "good", source="finance", entity="spending"),
            Outcome("run", "extract", "failed", source="finance", entity="spending", message="no such folder"),
        ],
    )
    found = arrivals(records, ["irs", "finance", "zheliban"], NOW + dt.timedelta(minutes=1))
    assert (found.arrived, found.missing) == (["irs"], ["finance", "zheliban"])
    assert "finance: no such folder" in str(found)
    assert "zheliban: no attempt was recorded" in str(found)
    assert not found.is_all_published


def test_yesterdays_arrival_is_not_tonights(tmp_path: Path) -> None:
    records = recorded(tmp_path, [Outcome("run", "extract", "good", source="irs", entity="app")])
    assert arrivals(records, ["irs"], NOW + dt.timedelta(hours=13)).missing == ["irs"]


def test_a_cut_off_after_a_complete_night_has_nothing_left_to_publish(tmp_path: Path) -> None:
    records = recorded(tmp_path, night())
    assert arrivals(records, ["irs"], NOW + dt.timedelta(minutes=1)).is_all_published
    late = Outcome("run", "extract", "good", source="irs", entity="module")
    assert not arrivals(recorded(tmp_path, [late]), ["irs"], NOW + dt.timedelta(minutes=1)).is_all_published
