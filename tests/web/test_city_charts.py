"""Charts of projects, sharing, funding and findings: what is missing is not drawn, and each mark says what it is."""

from __future__ import annotations

import datetime as dt
import re

from oneledger.charts import findings, funding, projects, sharing
from oneledger.charts.render import svg

SAID = re.compile(r'data-said="([^"]*)"')


def chinese(zh: str, en: str) -> str:
    return zh


def english(zh: str, en: str) -> str:
    return en


def said(drawn: str) -> list[str]:
    return SAID.findall(drawn)


def test_an_amount_that_nobody_gave_has_no_bar() -> None:
    year = {"budget_year": 2022, "budget_cny": 2_000_000, "released_cny": None, "arrived_cny": None, "spent_cny": 0}
    found = said(svg(projects.money([year], english), title="money"))
    assert "2022 budget: 2,000.0 thousand yuan" in found
    assert "2022 spent: 0.0 thousand yuan" in found
    assert not any("released" in one and "2022" in one for one in found)


def test_money_is_in_wan_in_chinese() -> None:
    year = {"budget_year": 2022, "budget_cny": 2_000_000, "released_cny": None, "arrived_cny": None, "spent_cny": None}
    assert "2022 预算: 200.0 万元" in said(svg(projects.money([year], chinese), title="资金"))


def test_a_sheet_that_did_not_come_has_no_bar() -> None:
    found = said(svg(projects.assessors([("self", 0.9), ("expert", None)], None, english), title="assessors"))
    assert "self: 90.0%" in found
    assert not any(one.startswith("expert:") for one in found)


def test_a_stage_that_nothing_has_left_takes_no_days_rather_than_none() -> None:
    rows: list[dict[str, object]] = [
        {"title": "declared", "days_quarter": 30.0, "days_median": 46.0, "days_three_quarters": 60.0},
        {"title": "operating", "days_quarter": None, "days_median": None, "days_three_quarters": None},
    ]
    drawn = svg(projects.stage_days(rows, english), title="days")
    assert "declared: median 46 days, half between 30 and 60" in said(drawn)
    assert "operating" not in drawn


def test_a_month_without_a_value_breaks_the_line_and_has_no_point() -> None:
    def month(number: int, value: float | None) -> dict:
        day = dt.date(2022, number, 28)
        return {"measured_on": day, "value": value, "state": "missed", "state_title": "missed", "text": str(value)}

    drawn = svg(
        findings.metric_history(
            [month(6, 4), month(7, 3), month(8, None), month(9, 2), month(10, 1)],
            target=0, remedy_on=dt.date(2022, 8, 26), found=None, is_rate=False, t=english,
        ),
        title="history",
    )  # fmt: skip
    points = [one for one in said(drawn) if "missed" in one]
    assert points == [
        "2022-06-28: 4 · missed",
        "2022-07-28: 3 · missed",
        "2022-09-28: 2 · missed",
        "2022-10-28: 1 · missed",
    ]
    assert re.search(r'd="M[^"M]*L[^"M]*M[^"M]*L[^"M]*"', drawn), "the line must begin anew after the gap"


def test_a_year_before_that_is_unknown_has_no_mark() -> None:
    rows = [
        {"month": dt.date(2021, 8, 1), "kind": "batch", "new_requests_count": 70, "year_before_requests_count": None,
         "is_month_complete": True},
        {"month": dt.date(2022, 8, 1), "kind": "batch", "new_requests_count": 137, "year_before_requests_count": 70,
         "is_month_complete": True},
    ]  # fmt: skip
    found = [one for one in said(svg(sharing.requests(rows, english), title="requests")) if "year before:" in one]
    assert found == ["2022-08 same month a year before: 70"]


def test_a_ledger_without_a_release_waits_until_the_newest_day_and_one_with_it_says_its_days() -> None:
    rows = [
        {"title": "City S1", "published_on": dt.date(2022, 1, 21), "is_month": False,
         "first_released_on": dt.date(2022, 7, 22), "median_arrived_on": None, "median_spent_on": None,
         "publish_to_release_days": 182, "is_waiting": False},
        {"title": "Province S2", "published_on": dt.date(2022, 6, 1), "is_month": True, "first_released_on": None,
         "median_arrived_on": None, "median_spent_on": None, "publish_to_release_days": None, "is_waiting": True},
    ]  # fmt: skip
    drawn = svg(funding.ledgers(rows, dt.date(2022, 10, 31), english), title="ledgers")
    assert "City S1 published → released: 2022-01-21 – 2022-07-22, 182 days" in said(drawn)
    assert "Province S2 still waiting: 2022-06-01 – 2022-10-31, 152 days" in said(drawn)
    assert "Province S2 published 2022-06" in said(drawn)
