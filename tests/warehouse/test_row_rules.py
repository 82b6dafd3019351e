"""Typing and row rules: what a received text becomes, and what is held back with which reason."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from oneledger.catalogue import Column, NumberFormat
from oneledger.warehouse.column_typing import typing_layers
from tests.warehouse.conftest import Installation, usage


def typed(text: str | None, kind: str, **keys: Any) -> Any:
    column = Column(name="x", source_name="x", type=kind, **keys)  # type: ignore[arg-type]
    rows = "(select ?::varchar as _text_x)"
    for items in typing_layers([(column, {"": "missing"})]):
        rows = f"(select {', '.join(['*', *items])} from {rows})"
    with duckdb.connect() as connection:
        row = connection.execute(f"select x from {rows}", [text]).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12), ("0", 0), ("-3", -3), ("+5", 5), (" 7 ", 7), ("\u30008\u3000", 8), ("007", 7), ("12.0", 12),
        ("1,234", 1234), ("12,345,678", 12345678), ("１２３", 123), ("１，２３４", 1234), ("¥1,200", 1200),
        ("(12)", -12), ("1.5", None), ("1e3", 1000), ("0x1F", None), ("12人", None), ("1,23", None), ("--1", None),
        ("nan", None), ("99999999999999999999", None), ("", None), ("\u00a0", None), (None, None),
    ],
)  # fmt: skip
def test_an_integer_is_read_as_it_is_written_and_never_rounded(text: str | None, number: int | None) -> None:
    assert typed(text, "integer") == number


@pytest.mark.parametrize(
    ("text", "keys", "number"),
    [
        ("12.345678", {"unit": "万元"}, "123456.78"),
        ("1,234.56", {"unit": "万元"}, "12345600.00"),
        ("12.340000000000002", {"unit": "万元"}, "123400.00"),
        ("1.2e-05", {"unit": "万元"}, "0.12"),
        ("3", {"unit": "亿元"}, "300000000.00"),
        ("88.5", {}, "88.500000"),
        (".5", {}, "0.500000"),
        ("83.1%", {"number_format": NumberFormat(percent=True)}, "0.831000"),
        ("0.831", {"number_format": NumberFormat(percent=True)}, "0.831000"),
        ("83.1", {"unit": "percent"}, "0.831000"),
        ("90", {"unit": "seconds_to_minutes"}, "1.500000"),
        ("1.234,5", {"number_format": NumberFormat(thousands=".", decimal=",")}, "1234.500000"),
        ("£12.50", {"number_format": NumberFormat(strip=("£",))}, "12.500000"),
        ("83.1%", {}, None),
        ("约12", {}, None),
    ],
)
def test_a_decimal_is_brought_to_the_base_unit_of_its_column(
    text: str, keys: dict[str, Any], number: str | None
) -> None:
    value = typed(text, "decimal", **keys)
    assert (None if value is None else str(value)) == number


@pytest.mark.parametrize(
    ("text", "keys", "day"),
    [
        ("2021-10-18", {}, "2021-10-18"),
        ("2021年10月18日", {}, "2021-10-18"),
        ("2021年1月8日", {}, "2021-01-08"),
        ("２０２１年１０月１８日", {}, "2021-10-18"),
        ("2022年6月", {}, "2022-06-01"),
        ("2022年6月", {"period_day": "last"}, "2022-06-30"),
        ("2021/10/8", {}, "2021-10-08"),
        ("2021.10.18", {}, "2021-10-18"),
        ("20211018", {}, "2021-10-18"),
        ("2021-10-18 00:00:00", {}, "2021-10-18"),
        ("2021-10-17T16:00:00Z", {}, "2021-10-18"),
        ("44487", {}, "2021-10-18"),
        ("2012-Q4", {"formats": ("%Y-Q%q",), "period_day": "last"}, "2012-12-31"),
        ("2012-Q4", {"formats": ("%Y-Q%q",), "period_day": "first"}, "2012-10-01"),
        ("2021-10-18", {"formats": ("%Y年%m月%d日",)}, None),
        ("2021-02-30", {}, None),
        ("2021年13月1日", {}, None),
        ("infinity", {}, None),
        ("昨天", {}, None),
    ],
)
def test_a_date_is_read_in_every_form_that_the_sources_use(text: str, keys: dict[str, Any], day: str | None) -> None:
    assert typed(text, "date", **keys) == (dt.date.fromisoformat(day) if day else None)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2022-06-01T08:30:00", "2022-06-01 08:30:00"),
        ("2022-06-01 08:30:00.25", "2022-06-01 08:30:00.250"),
        ("2022-06-01T08:30:00+08:00", "2022-06-01 08:30:00"),
        ("2022-06-01T00:30:00Z", "2022-06-01 08:30:00"),
        ("2022-05-31T19:30:00-05:00", "2022-06-01 08:30:00"),
        ("2022年6月1日 08:30:00", "2022-06-01 08:30:00"),
        ("2022/6/1 08:30", "2022-06-01 08:30:00"),
        ("2022-06-01", "2022-06-01 00:00:00"),
        ("44713.5", "2022-06-01 12:00:00"),
        ("8:30", None),
    ],
)
def test_a_time_becomes_the_wall_clock_time_of_the_city(text: str, instant: str | None) -> None:
    assert typed(text, "timestamp") == (dt.datetime.fromisoformat(instant) if instant else None)


@pytest.mark.parametrize(("text", "value"), [("是", True), ("否", False), ("TRUE", True), ("0", False), ("也许", None)])
def test_yes_and_no_are_read_in_both_languages(text: str, value: bool | None) -> None:
    assert typed(text, "boolean") is value


def test_a_prefix_keeps_keys_of_sources_apart_and_a_blank_stays_blank() -> None:
    assert typed("12", "text", prefix="govuk:") == "govuk:12"
    assert typed("", "text", prefix="govuk:") is None


def test_a_dash_a_blank_and_a_zero_stay_three_things(installation: Installation) -> None:
    full = {"starts_count": "1", "completions_count": "1"}
    rows = [
        usage("A", "-", **full), usage("B", "", **full), usage("C", "0", **full), usage("D", None, **full),
        usage("E", " - ", **full),
    ]  # fmt: skip
    installation.deliver("portal", "usage", "20220601", rows)
    installation.admit()
    found = installation.rows("select app_id, visitors_count, _missing_states from admitted.usage order by 1")
    assert [(app_id, visitors, json.loads(states or "{}")) for app_id, visitors, states in found] == [
        ("A", None, {"visitors_count": "not_applicable"}),
        ("B", None, {"visitors_count": "missing"}),
        ("C", 0, {}),
        ("D", None, {"visitors_count": "missing"}),
        ("E", None, {"visitors_count": "not_applicable"}),
    ]


def test_money_in_ten_thousand_yuan_is_stored_in_yuan_with_two_places(installation: Installation) -> None:
    row = {"project_id": "P1", "level": "县区", "budget_cny": "12.345678", "declared_on": "2021年10月18日"}
    installation.deliver("library", "project", "20220601", [row])
    installation.admit()
    assert installation.rows("select budget_cny, level, declared_on, is_in_scope from admitted.library__project") == [
        (Decimal("123456.78"), "county", dt.date(2021, 10, 18), None)
    ]


@pytest.mark.parametrize(
    ("change", "rule_id", "column_name", "value"),
    [
        ({"app_id": ""}, "required", "app_id", ""),
        ({"app_id": "-"}, "required", "app_id", "-"),
        ({"usage_on": "6月1日"}, "is_date", "usage_on", "6月1日"),
        ({"visitors_count": "很多"}, "is_integer", "visitors_count", "很多"),
        ({"visitors_count": "-1"}, "minimum", "visitors_count", "-1"),
        (
            {"starts_count": "1", "completions_count": "2"}, "completions_within_starts",
            "completions_count, starts_count", "completions_count=2, starts_count=1",
        ),
    ],
)  # fmt: skip
def test_a_broken_row_is_held_back_whole_with_its_reason_and_remedy(
    installation: Installation, change: dict[str, str], rule_id: str, column_name: str, value: str
) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A"), usage("B") | change])
    installation.admit()
    assert installation.rows("select app_id from admitted.usage") == [("A",)]
    ((found_rule, found_column, found_value, row_number, file_id, received, *texts),) = installation.rows(
        "select rule_id, column_name, value, row_number, file_id, received,"
        " reason_zh, reason_en, remedy_zh, remedy_en from quarantine.row"
    )
    assert (found_rule, found_column, found_value) == (rule_id, column_name, value)
    assert (row_number, file_id) == (2, "portal.usage.20220601.r001/data.csv")
    assert json.loads(received) | change == json.loads(received)
    assert all(texts)


@pytest.mark.parametrize(
    ("row", "rule_id"),
    [
        ({"project_id": "X1", "level": "市本级"}, "pattern"),
        ({"project_id": "P1x", "level": "市本级"}, "pattern"),
        ({"project_id": "P1", "level": "city"}, "known_word"),
        ({"project_id": "P1", "level": "市本级", "budget_cny": "十万"}, "is_decimal"),
        ({"project_id": "P1", "level": "市本级", "is_in_scope": "也许"}, "is_boolean"),
    ],
)
def test_a_value_outside_its_contract_is_held_back(
    installation: Installation, row: dict[str, str | None], rule_id: str
) -> None:
    installation.deliver("library", "project", "20220601", [row])
    installation.admit()
    assert installation.rows("select rule_id from quarantine.row") == [(rule_id,)]


def test_a_row_that_breaks_two_rules_is_one_quarantined_row_with_two_reasons(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("", "viele")])
    (outcome,) = installation.admit()
    assert (outcome.received_count, outcome.quarantined_count) == (1, 1)
    assert installation.rows("select rule_id from quarantine.row order by 1") == [("is_integer",), ("required",)]


def test_a_rule_whose_columns_are_missing_is_not_broken(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", starts_count=None, completions_count="2")])
    (outcome,) = installation.admit()
    assert outcome.verdict == "good"


def test_a_warning_lets_the_row_through_and_is_recorded_as_a_finding(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("A", "1", starts_count="2", completions_count="2")])
    (outcome,) = installation.admit()
    assert (outcome.verdict, outcome.accepted_count, outcome.detail["findings_count"]) == ("good", 1, 1)
    assert installation.rows("select rule_id, value from checks.row_finding") == [
        ("starts_within_visitors", "starts_count=2, visitors_count=1")
    ]


def test_equal_keys_with_other_content_are_all_held_back_and_name_each_other(installation: Installation) -> None:
    rows = [usage("A", "1"), usage("B", "1"), usage("A", "2"), usage("A", "1"), usage("B", "1")]
    installation.deliver("portal", "usage", "20220601", rows)
    (outcome,) = installation.admit()
    assert (outcome.accepted_count, outcome.quarantined_count, outcome.superseded_count) == (1, 3, 1)
    found = installation.rows("select row_number, rule_id, reason_zh, reason_en from quarantine.row order by 1")
    assert [(number, rule_id) for number, rule_id, *_ in found] == [
        (1, "duplicate_with_other_content"),
        (3, "duplicate_with_other_content"),
        (4, "duplicate_with_other_content"),
    ]
    assert found[0][2].endswith("见第 3, 4 行")
    assert found[1][3].endswith("in row 1, 4")
    assert installation.rows("select app_id, _row_number from admitted.usage") == [("B", 2)]


def test_what_the_catalogue_does_not_know_is_kept_in_the_row_as_received(installation: Installation) -> None:
    installation.deliver("portal", "usage", "20220601", [usage("", "1", _extra='{"新列": "值"}')])
    installation.admit()
    ((received,),) = installation.rows("select received from quarantine.row")
    assert json.loads(received)["_extra"] == {"新列": "值"}


def test_a_value_with_quotation_marks_or_sql_in_it_is_only_a_value(installation: Installation) -> None:
    rows = [usage("O'Neil\"; drop table admitted.usage; --", "1"), usage("x", "'); --")]
    installation.deliver("portal", "usage", "20220601", rows)
    installation.admit()
    assert installation.rows("select app_id from admitted.usage") == [("O'Neil\"; drop table admitted.usage; --",)]
    assert installation.rows("select value from quarantine.row") == [("'); --",)]
