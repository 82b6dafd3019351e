"""The verdict of a run is computed from its outcome records."""

from __future__ import annotations

from typing import Any

import pytest

from oneledger.pipeline.verdict import verdict_of, what_is_missing


def record(step: str, verdict: str, source: str | None = None, **more: Any) -> dict[str, Any]:
    return {"step": step, "verdict": verdict, "source": source, "entity": None, "batch_id": None, "message": "", **more}


PUBLISHED = [
    record("extract", "good", "irs"), record("admit", "good", "irs"), record("gate_sources", "good"),
    record("build_models", "good"), record("gate_marts", "good"), record("publish", "good"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ([], "good"),
        ([record("publish", "unchanged")], "good"),
        ([record("admit", "warning", "zheliban")], "good_with_warnings"),
        ([record("gate_sources", "warning")], "good_with_warnings"),
        ([record("extract", "failed", "finance")], "published_with_parts_withheld"),
        ([record("extract", "failed", "finance"), record("extract", "good", "finance")], "good"),
        ([record("gate_marts", "failed")], "not_published"),
        ([record("publish", "failed")], "not_published"),
    ],
)
def test_what_follows_decides_the_verdict(more: list[dict[str, Any]], verdict: str) -> None:
    assert verdict_of([*PUBLISHED, *more]) == verdict


def test_a_run_that_never_published_is_not_published() -> None:
    assert verdict_of(PUBLISHED[:-1]) == "not_published"
    assert verdict_of([]) == "not_published"


def test_what_is_missing_names_source_and_reason() -> None:
    failed = record("extract", "failed", "finance", entity="spending", message="no such folder")
    assert what_is_missing([*PUBLISHED, failed]) == ["finance.spending: no such folder"]


def test_each_refused_file_of_one_entity_is_told() -> None:
    refused = [
        record("load_raw", "failed", "zheliban", message=f"{name} is cut off", detail={"files": [name]})
        for name in ("a.csv.gz", "b.csv.gz")
    ]
    again = record("load_raw", "failed", "zheliban", message="b.csv.gz is empty", detail={"files": ["b.csv.gz"]})
    assert what_is_missing([*refused, again]) == ["zheliban: a.csv.gz is cut off", "zheliban: b.csv.gz is empty"]
