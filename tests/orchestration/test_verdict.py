"""What the night's outcome records say, whatever colour the tasks have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from oneledger.outcomes import Outcome, Verdict, read_outcomes, record_outcome
from oneledger_airflow.arrivals import arrivals
from oneledger_airflow.nightly_report import problems_of

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


def test_a_night_whose_every_step_left_a_good_record_has_no_problem(tmp_path: Path) -> None:
    assert problems_of(recorded(tmp_path, night())) == []


def test_a_failed_record_is_a_problem_with_its_message_and_remedy(tmp_path: Path) -> None:
    failed = Outcome("run", "gate_marts", "failed", message="a mart shrank", remedy="ask the owner")
    assert problems_of(recorded(tmp_path, [*night(gate_marts="absent"), failed])) == [
        "gate_marts: a mart shrank ask the owner"
    ]


def test_what_befell_every_entity_of_a_source_is_said_once(tmp_path: Path) -> None:
    failed = (Outcome("run", "extract", "failed", "irs", entity, message="refused") for entity in ("module", "unit"))
    assert problems_of(recorded(tmp_path, [*night(), *failed])) == ["extract irs.module, irs.unit: refused"]


def test_a_step_that_left_no_record_is_a_problem(tmp_path: Path) -> None:
    assert problems_of(recorded(tmp_path, night(publish="absent"))) == [
        "publish: no outcome record, so nothing shows that it ran"
    ]


def test_a_second_try_that_worked_replaces_the_first_that_failed(tmp_path: Path) -> None:
    first = Outcome("run", "extract", "failed", source="irs", entity="app", message="timed out")
    assert problems_of(recorded(tmp_path, [first, *night()])) == []


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


def test_yesterdays_arrival_is_not_tonights(tmp_path: Path) -> None:
    records = recorded(tmp_path, [Outcome("run", "extract", "good", source="irs", entity="app")])
    assert arrivals(records, ["irs"], NOW + dt.timedelta(hours=13)).missing == ["irs"]
