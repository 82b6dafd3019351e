"""Single checks of what a trace went through: those that failed are named, on the page all are."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from oneledger.cli import trace_text
from oneledger.lineage import trace_page

CHECKS: list[dict[str, Any]] = [
    {
        "gate": "sources", "check_id": "freshness", "entity": "zheliban.usage", "title_zh": "数据未超过最大时滞",
        "title_en": "The newest data is not too old", "severity": "warn", "is_passed": False,
        "observed": "newest data of 2022-09-01", "expected": "at most 50 hours", "run_id": "r",
        "checked_at": dt.datetime(2022, 11, 1, 2, 0),
    },
    {
        "gate": "marts", "check_id": "mart_keys", "entity": "marts.app_usage_month", "title_zh": "主键唯一",
        "title_en": "The key is unique", "severity": "fail", "is_passed": True, "observed": "1 judged",
        "expected": "no repeated key", "run_id": "r", "checked_at": dt.datetime(2022, 11, 1, 2, 0),
    },
]  # fmt: skip


def test_the_text_counts_the_checks_and_names_only_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    trace_text._checks_on_the_way(CHECKS)
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 passed" in shown and "newest data of 2022-09-01" in shown
    assert "mart_keys" not in shown and "The key is unique" not in shown


def test_the_page_shows_every_check_and_opens_the_list_when_one_failed() -> None:
    failed, passed = trace_page._checks_on_the_way(CHECKS), trace_page._checks_on_the_way(CHECKS[1:])
    assert "<details open>" in failed and "at most 50 hours" in failed and "The key is unique" in failed
    assert "<details>" in passed and "1 / 1" in passed


def test_a_version_that_does_not_carry_results_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    trace_text._checks_on_the_way(None)
    assert "does not carry" in capsys.readouterr().out
    assert "does not carry" in trace_page._checks_on_the_way(None)
