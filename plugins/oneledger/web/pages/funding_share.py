"""The funding share, tried out: three rates in, the share of the budget out, by the version's own rules and SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import Field
from starlette.responses import HTMLResponse

from oneledger.charts import funding as charts
from oneledger.charts.render import svg
from oneledger.evaluation.funding_simulating import (
    RATE_IDS,
    FundingCase,
    FundingOutcome,
    State,
    TriedRate,
    funding_outcomes,
)
from oneledger.web.listing import NOT_GIVEN, SearchText
from oneledger.web.page import Page, ViewerPage
from oneledger.web.queries import funding as ask
from oneledger.web.reading import Row
from oneledger.web.remembered import PageOfVersion
from oneledger.web.terms import terms_of

router = APIRouter(include_in_schema=False, route_class=PageOfVersion)

Percent = Annotated[
    Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None,
    NOT_GIVEN,
    Query(description="per cent; the project's own when left out"),
]
Yuan = Annotated[
    Annotated[Decimal, Field(ge=0, le=10**12, decimal_places=2, allow_inf_nan=False)] | None,
    NOT_GIVEN,
    Query(description="yuan; the project's own when left out"),
]
RateState = Annotated[State | None, Query(description="reported, missing or not_applicable")]

# Where nobody says anything: round numbers to start from.
_START = {"online_rate": 1.0, "usage_rate": 0.6, "satisfaction_rate": 0.7}
_START_BUDGET = Decimal(1_000_000)
# A page shows two decimals of a per cent; a number that was only passed on stays the measured one.
_SHOWN = 0.005
_FIELDS = {"online_rate": "online", "usage_rate": "usage", "satisfaction_rate": "satisfaction"}


@dataclass(frozen=True)
class Tried:
    """One of the three rates on the page.

    Attributes:
        measured: the project's own rate; None without a project or when it has none.
        is_changed: whether it is another one than the project's own.
        weight: its weight in force; None when none is.
        part: how much it adds to the combined rate, out of 1; None unless it is reported.
    """

    rate_id: str
    field: str
    tried: TriedRate
    measured: float | None
    numerator: int | None
    denominator: int | None
    is_changed: bool
    weight: float | None
    part: float | None


@router.get("/funding/share")
def funding_share(
    page: ViewerPage,
    q: SearchText = "",
    project_id: Annotated[str, Query(max_length=60)] = "",
    year: Annotated[int | None, Query(ge=2000, le=2100, description="budget year")] = None,
    online: Percent = None,
    usage: Percent = None,
    satisfaction: Percent = None,
    online_state: RateState = None,
    usage_state: RateState = None,
    satisfaction_state: RateState = None,
    budget: Yuan = None,
) -> HTMLResponse:
    """The simulator."""
    reading = page.reading
    project = _project(page, project_id, year) if project_id else None
    budget_year = year or (project["budget_year"] if project else _newest_year(page))
    given = {"online_rate": (online, online_state), "usage_rate": (usage, usage_state),
             "satisfaction_rate": (satisfaction, satisfaction_state)}  # fmt: skip
    tried = {rate_id: _tried(project, rate_id, *given[rate_id]) for rate_id in RATE_IDS}
    case = FundingCase(
        budget_year=budget_year, online=tried["online_rate"], usage=tried["usage_rate"],
        satisfaction=tried["satisfaction_rate"], budget_cny=_budget(project, budget),
        linked_apps_count=project["linked_apps_count"] if project else 1,
    )  # fmt: skip
    outcome, swept = reading.remembered(("funding.share", case), lambda: _outcomes(page, case))
    bands = ask.bands(reading, budget_year)
    return page.show(
        "funding/share.html",
        term=terms_of(page.language),
        q=q,
        found=ask.find_projects(reading, q) if q.strip() else [],
        examples=reading.remembered(("funding.examples",), lambda: ask.examples(reading)),
        project=project,
        year=budget_year,
        case=case,
        rates=_rates(project, tried, ask.weights(reading, budget_year)),
        outcome=outcome,
        bands=bands,
        band=_band(bands, outcome),
        next_steps=_next_steps(case, outcome, swept),
        drawing=_drawing(page, case, outcome, swept),
    )


def _project(page: Page, project_id: str, year: int | None) -> Row:
    found = ask.project_share(page.reading, project_id, year)
    if found is None:
        of_year = f" {year}" if year else ""
        raise HTTPException(
            404,
            f"没有项目 {project_id}{of_year} 的年度预算。请在试算页按名称查找。 "
            f"There is no budget year{of_year} of a project {project_id}. Look for its name on the simulator.",
        )
    return found


def _newest_year(page: Page) -> int:
    return int(str(page.reading.version.as_of_on)[:4])


def _tried(project: Row | None, rate_id: str, percent: float | None, state: State | None) -> TriedRate:
    measured = project[rate_id] if project else _START[rate_id]
    if state is None:
        state = project[rate_id.replace("_rate", "_state")] if project and percent is None else "reported"
    if state != "reported":
        return TriedRate(None, state)
    if percent is None or (measured is not None and abs(percent - measured * 100) < _SHOWN):
        # Asked for as reported, but never measured: there is no rate to take.
        return TriedRate(measured) if measured is not None else TriedRate(None, "missing")
    return TriedRate(round(percent / 100, 9))


def _budget(project: Row | None, budget: Decimal | None) -> Decimal | None:
    if budget is not None:
        return budget
    return project["budget_cny"] if project else _START_BUDGET


def _outcomes(page: Page, case: FundingCase) -> tuple[FundingOutcome, dict[str, list[FundingOutcome]]]:
    """The case itself, and for each reported rate the case with that rate from 0 to 100 per cent, in one run."""
    moving = [rate_id for rate_id in RATE_IDS if _of(case, rate_id).state == "reported"]
    cases = [case, *(_with(case, rate_id, percent) for rate_id in moving for percent in range(101))]
    outcomes = funding_outcomes(page.settings, page.reading.version, cases)
    return outcomes[0], {
        rate_id: outcomes[1 + 101 * number : 102 + 101 * number] for number, rate_id in enumerate(moving)
    }


def _of(case: FundingCase, rate_id: str) -> TriedRate:
    found: TriedRate = getattr(case, _FIELDS[rate_id])
    return found


def _with(case: FundingCase, rate_id: str, percent: int) -> FundingCase:
    changed: dict[str, Any] = {_FIELDS[rate_id]: TriedRate(percent / 100)}
    return replace(case, **changed)


def _rates(project: Row | None, tried: dict[str, TriedRate], weights: list[Row]) -> list[Tried]:
    weight_of = {row["rate_id"]: row["weight"] for row in weights}
    counted = sum(weight_of.get(rate_id, 0) for rate_id, one in tried.items() if one.state == "reported")
    rates = []
    for rate_id, one in tried.items():
        name = rate_id.removesuffix("_rate")
        measured = project[rate_id] if project else None
        weight = weight_of.get(rate_id)
        rates.append(
            Tried(
                rate_id=rate_id, field=name, tried=one, measured=measured,
                numerator=project[f"{name}_numerator"] if project else None,
                denominator=project[f"{name}_denominator"] if project else None,
                is_changed=project is not None and (one.rate, one.state) != (measured, project[f"{name}_state"]),
                weight=weight,
                part=weight * one.rate / counted if one.rate is not None and weight is not None and counted else None,
            )
        )  # fmt: skip
    return rates


def _band(bands: list[Row], outcome: FundingOutcome) -> Row | None:
    """The band that the combined rate lies in: the outcome's share is that band's."""
    combined = outcome.combined_rate
    if combined is None or outcome.share is None:
        return None
    return next((row for row in reversed(bands) if combined >= row["minimum_rate"]), None)


def _next_steps(
    case: FundingCase, outcome: FundingOutcome, swept: dict[str, list[FundingOutcome]]
) -> list[dict[str, Any]]:
    """For each rate alone the first whole per cent from which on more is paid; None when it cannot do it alone."""
    steps = []
    for rate_id, outcomes in swept.items():
        now = _of(case, rate_id).rate or 0
        better = next(
            (
                {"percent": percent, "share": one.share, "payable_cny": one.payable_cny}
                for percent, one in enumerate(outcomes)
                if percent / 100 > now and one.share is not None and one.share > (outcome.share or 0)
            ),
            None,
        )
        steps.append({"rate_id": rate_id, "better": better})
    return steps


def _drawing(
    page: Page, case: FundingCase, outcome: FundingOutcome, swept: dict[str, list[FundingOutcome]]
) -> dict[str, str] | None:
    if outcome.share is None:
        return None
    term: Callable[[str, Any], str] = terms_of(page.language)
    rows = [
        {"title": term("rate", rate_id), "rate": percent / 100, "share": one.share}
        for rate_id, outcomes in swept.items()
        for percent, one in enumerate(outcomes)
        if one.share is not None
    ]
    here = [
        {"title": term("rate", rate_id), "rate": _of(case, rate_id).rate, "share": outcome.share} for rate_id in swept
    ]
    title = page.t("只动一项比率，拨付比例怎样变", "How the share changes when one rate moves")
    return page.reading.remembered(
        ("funding.share.chart", case, page.language),
        lambda: {"title": title, "drawn": svg(charts.share_by_rate(rows, here, page.t), title=title)},
    )
