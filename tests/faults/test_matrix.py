"""The matrix: each named fault of the city meets its decision, says what is wrong, and leaves no trace once mended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oneledger.catalogue import door_problems
from oneledger.city.breaking import KINDS
from oneledger.outcomes import Outcome
from tests.faults.conftest import Matrix
from tests.faults.rounds import ROUNDS, Injected, Installation, Seen

pytestmark = pytest.mark.slow

INJECTED = {fault.breakage.kind: fault for faults in ROUNDS for fault in faults}


# A round whose faults are all refused at the door loads nothing.
LOADING = [number for number, faults in enumerate(ROUNDS)
           if any(fault.breakage.expected.decision != "refuse" for fault in faults)]  # fmt: skip


def of_decision(decision: str) -> list[str]:
    return sorted(kind for kind, fault in INJECTED.items() if fault.breakage.expected.decision == decision)


def told(seen: Seen, fault: Injected, *verdicts: str) -> list[Outcome]:
    """The outcomes of a fault's entity; of a drop file's those that speak of it."""
    expected = fault.breakage.expected
    found = [one for one in seen.outcomes if (one.source, one.entity) == (expected.source, expected.entity)
             and one.verdict in verdicts]  # fmt: skip
    if not fault.breakage.is_of_day:
        return found
    file = next((word for word in fault.says if word.endswith(".csv.gz")), fault.file)
    return [one for one in found if file in json.dumps(one.to_json(), ensure_ascii=False)
            or (one.batch_id or "").rpartition(".")[0].endswith(f"{fault.day:%Y%m%d}")]  # fmt: skip


def names_everything(texts: list[str], words: list[str]) -> list[str]:
    """The words that none of the texts names together; empty when one of them names all."""
    lacking = [[word for word in words if word not in text] for text in texts]
    return min(lacking, key=len) if lacking else words


def is_in_both_languages(*texts: str) -> bool:
    return all(any("\u4e00" <= sign <= "\u9fff" for sign in text) and any("a" <= sign <= "z" for sign in text)
               for text in texts)  # fmt: skip


def test_there_are_at_least_60_faults_and_each_is_tried() -> None:
    assert len(KINDS) >= 60
    elsewhere = {kind for kind, breakage in KINDS.items() if breakage.needs_reference_city}
    assert set(INJECTED) | elsewhere == set(KINDS)
    assert elsewhere == {"changed_project_level", "changed_request_month"}


def test_every_problem_that_a_fault_names_is_decided_in_the_catalogue() -> None:
    named = {breakage.expected.problem for breakage in KINDS.values()} - {""}
    assert named <= set(door_problems())


@pytest.mark.parametrize("kind", of_decision("refuse"))
def test_a_refused_delivery_is_not_landed_and_its_outcome_says_what_to_do(matrix: Matrix, kind: str) -> None:
    fault, seen = matrix.of(kind)
    failed = told(seen, fault, "failed")
    texts = [f"{one.message} {one.remedy}" for one in failed]
    assert names_everything(texts, fault.says) == [], texts
    problem = fault.breakage.expected.problem
    if problem:
        assert problem in {one.detail.get("problem") for one in failed}
        assert is_in_both_languages(*[text for one in failed for text in (one.message, one.remedy)])
    assert all(one.remedy for one in failed)
    partition = f"{fault.breakage.expected.source}.usage.{fault.day:%Y%m%d}"
    if fault.breakage.is_of_day and fault.file in "".join(texts):
        assert seen.landed.get(partition) == seen.before.get(partition)


@pytest.mark.parametrize("kind", of_decision("wait"))
def test_a_delivery_that_is_not_complete_waits_and_says_for_what(matrix: Matrix, kind: str) -> None:
    fault, seen = matrix.of(kind)
    waiting = told(seen, fault, "skipped")
    assert names_everything([one.message for one in waiting], fault.says) == []
    assert is_in_both_languages(*[one.message for one in waiting])


@pytest.mark.parametrize("kind", of_decision("warn"))
def test_a_warning_is_made_and_the_rows_are_taken(matrix: Matrix, kind: str) -> None:
    fault, seen = matrix.of(kind)
    warned = [one for one in told(seen, fault, "warning") if one.step in ("extract", "load_raw")]
    assert names_everything([f"{one.message} {one.remedy}" for one in warned], fault.says) == [], warned
    assert is_in_both_languages(*[one.message for one in warned])
    taken = {one.batch_id for one in warned if one.step == "load_raw"}
    admitted = {one.batch_id for one in seen.outcomes if one.step == "admit" and one.accepted_count}
    assert taken <= admitted
    assert taken or kind == "since_ignored"


@pytest.mark.parametrize("kind", of_decision("quarantine"))
def test_wrong_rows_are_held_back_whole_with_reason_and_remedy_and_the_others_are_taken(
    matrix: Matrix, kind: str
) -> None:
    fault, seen = matrix.of(kind)
    expected = fault.breakage.expected
    rows = [row for row in seen.quarantined if is_of(fault, row) and row["rule_id"] == expected.rule]
    assert len({(row["file_id"], row["row_number"]) for row in rows}) == expected.rows_count
    texts = [json.dumps(row, ensure_ascii=False, default=str) for row in rows]
    assert names_everything(texts, fault.says) == [], texts[:1]
    assert all(row["received"] and row["file_id"] and row["row_number"] > 0 and row["column_name"] for row in rows)
    assert all(row[name] for row in rows for name in ("reason_zh", "reason_en", "remedy_zh", "remedy_en"))
    batches = {row["batch_id"] for row in rows}
    admitted = [one for one in seen.outcomes if one.step == "admit" and one.batch_id in batches]
    assert sum(one.quarantined_count or 0 for one in admitted) == expected.rows_count


@pytest.mark.parametrize("kind", of_decision("gate"))
def test_a_check_of_the_gate_names_what_is_wrong(matrix: Matrix, kind: str) -> None:
    fault, seen = matrix.of(kind)
    expected = fault.breakage.expected
    failed = [one for one in seen.checks if not one.is_passed and one.check_id == expected.rule
              and one.entity == f"{expected.source}.{expected.entity}"]  # fmt: skip
    # A check names a partition of the source (20221031) or a date (2022-10-31).
    texts = [one.observed.replace(str(fault.day), f"{fault.day:%Y%m%d}") for one in failed]
    assert names_everything(texts, fault.says) == []
    assert all(one.remedy_zh and one.remedy_en and one.owner for one in failed)


@pytest.mark.parametrize("kind", [kind for kind in of_decision("accept") if INJECTED[kind].breakage.is_of_day])
def test_what_is_only_written_otherwise_is_read_as_meant(matrix: Matrix, kind: str) -> None:
    fault, seen = matrix.of(kind)
    assert told(seen, fault, "failed", "warning") == []
    assert [one.quarantined_count for one in told(seen, fault, "good") if one.step == "admit"] == [0]
    if kind == "redelivered_day":
        assert seen.landed[f"zheliban.usage.{fault.day:%Y%m%d}"] > seen.before[f"zheliban.usage.{fault.day:%Y%m%d}"]
        assert seen.differing[kind] > 0
    else:
        assert seen.differing[kind] == 0


@pytest.mark.parametrize(
    "kind", [kind for kind in of_decision("accept") if not INJECTED[kind].breakage.is_of_day and kind != "lying_etag"]
)
def test_an_answer_that_is_only_ordered_otherwise_is_taken_whole(matrix: Matrix, kind: str) -> None:
    fault, seen = matrix.of(kind)
    assert told(seen, fault, "failed") == []
    admitted = [one for one in told(seen, fault, "good") if one.step == "admit"]
    assert sum(one.accepted_count or 0 for one in admitted) > 0
    assert sum(one.quarantined_count or 0 for one in admitted) == 0


def test_a_lying_etag_is_believed_on_its_own_day_at_most(matrix: Matrix, untouched: Installation) -> None:
    fault, seen = matrix.of("lying_etag")
    assert told(seen, fault, "failed") == []
    assert [one.verdict for one in told(seen, fault, "unchanged", "good") if one.step == "extract"] == ["unchanged"]


@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_every_row_that_was_received_is_accounted_for(matrix: Matrix, number: int) -> None:
    admitted = [one for one in matrix.seen[number].outcomes if one.step == "admit"]
    assert bool(admitted) == (number in LOADING)
    for one in admitted:
        assert one.verdict != "failed", one.message
        counts = (one.accepted_count or 0, one.quarantined_count or 0, one.superseded_count or 0)
        assert one.received_count == sum(counts), one


@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_after_mending_the_marts_equal_those_of_a_city_that_never_had_the_fault(matrix: Matrix, number: int) -> None:
    assert matrix.still_refused[number] == []
    shown_by = number if number in matrix.published else len(ROUNDS) - 1
    assert matrix.problems[shown_by] == ""
    assert len(matrix.never_broken) > 20
    assert matrix.published[shown_by] == matrix.never_broken


def is_of(fault: Injected, row: dict[str, Any]) -> bool:
    expected = fault.breakage.expected
    if (row["source"], row["entity"]) != (expected.source, expected.entity):
        return False
    return not fault.breakage.is_of_day or f".{fault.day:%Y%m%d}." in row["batch_id"]
