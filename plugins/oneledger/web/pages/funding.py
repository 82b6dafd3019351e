"""Funding: from the published ledger to the spent yuan."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse

from oneledger.charts import funding as charts
from oneledger.charts.render import svg
from oneledger.web.listing import PageNumber, cells
from oneledger.web.page import Page, ViewerPage
from oneledger.web.queries import funding as ask
from oneledger.web.reading import Row
from oneledger.web.remembered import PageOfVersion
from oneledger.web.terms import terms_of

router = APIRouter(include_in_schema=False, route_class=PageOfVersion)

LeadSort = Literal[
    "waiting_days", "-waiting_days", "publish_to_release_days", "-publish_to_release_days", "release_to_arrive_days",
    "-release_to_arrive_days", "arrive_to_spend_days", "-arrive_to_spend_days", "released_cny", "-released_cny",
    "department_name", "-department_name", "ledger", "-ledger",
]  # fmt: skip
WAITING = {
    "waiting": ("尚未支出", "not spent yet"), "published": ("待下达", "waiting for release"),
    "released": ("待到账", "waiting for arrival"), "arrived": ("待支出", "waiting to be spent"),
    "spent": ("已支出", "spent"), "all": ("全部", "all"),
}  # fmt: skip


@router.get("/funding")
def funding(
    page: ViewerPage,
    ledger: Annotated[str, Query(pattern=r"^((city|province)-S\d{1,2})?$", description="for instance city-S1")] = "",
    waiting: ask.Waiting = "waiting",
    year: Annotated[int | None, Query(ge=2000, le=2100, description="budget year of the departments")] = None,
    sort: LeadSort = "-waiting_days",
    number: PageNumber = 1,
) -> HTMLResponse:
    """The ledgers' way to the money, and the budgets' execution."""
    reading = page.reading
    term = terms_of(page.language)
    ledgers = [
        {
            **row,
            "title": f"{page.t('省', 'Province') if row['ledger_level'] == 'province' else page.t('市', 'City')}"
            f" {row['ledger_version']}",
            "code": f"{row['ledger_level']}-{row['ledger_version']}",
            "is_month": row["published_precision"] == "month",
            "is_waiting": bool(row["waiting_release_count"]),
        }
        for row in reading.remembered(("funding.ledgers",), lambda: ask.ledgers(reading))
    ]
    years = reading.remembered(("funding.years",), lambda: ask.years(reading))
    releases = [
        {**row, "position": row["release_position"], "title": term("release_position", row["release_position"])}
        for row in reading.remembered(("funding.releases",), lambda: ask.releases(reading))
    ]
    chosen = year or (years[-1]["budget_year"] if years else 2000)
    return page.show(
        "funding/index.html",
        term=term,
        ledgers=ledgers,
        years=years,
        year=chosen,
        departments=reading.remembered(("funding.departments", chosen), lambda: ask.departments(reading, chosen)),
        waiting_counts=reading.remembered(("funding.waiting",), lambda: ask.waiting_counts(reading)),
        shares=reading.remembered(("funding.shares",), lambda: ask.shares_by_state(reading)),
        charts=_charts(page, ledgers, releases),
        release_rows=cells(releases, "month", "title", "projects_count", "released_cny"),
        ledger=ledger,
        waiting=waiting,
        waiting_choices=WAITING,
        listing=ask.ledger_projects(reading, ledger=ledger or None, waiting=waiting, sort=sort, page=number),
    )


def _charts(page: Page, ledgers: list[Row], releases: list[Row]) -> dict[str, dict[str, Any]]:
    as_of = dt.date.fromisoformat(str(page.reading.version.as_of_on))
    titles = {
        "ledgers": page.t("一本账从发布到用上钱", "From the published ledger to the spent yuan"),
        "releases": page.t("首次下达落在哪个月", "In which month money is first released"),
    }
    return page.reading.remembered(
        ("funding.charts", page.language),
        lambda: {
            "ledgers": {
                "title": titles["ledgers"],
                "drawn": svg(charts.ledgers(ledgers, as_of, page.t), title=titles["ledgers"]),
            },
            "releases": {
                "title": titles["releases"],
                "drawn": svg(charts.releases(releases, page.t), title=titles["releases"]),
            },
        },
    )
