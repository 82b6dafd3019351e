"""The state of the city on one screen."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from oneledger.charts import usage
from oneledger.charts.render import svg
from oneledger.evaluation.runs import evaluation_runs
from oneledger.web import evaluated, formats
from oneledger.web.last_night import last_night
from oneledger.web.page import Page, ViewerPage
from oneledger.web.queries import overview as queries
from oneledger.web.remembered import PageOfNow
from oneledger.web.terms import TERMS, term, terms_of

router = APIRouter(include_in_schema=False, route_class=PageOfNow)
BANDS = ("5", "4", "3", "none", "withheld")


@dataclass(frozen=True)
class StarsNow:
    """Apps by stars in the run that counts, and in the one before it.

    Attributes:
        run_id, period: of the run; run_id is None when the version's own computation is all there is.
        state: confirmed, draft or live.
        counts, before: apps by band (5, 4, 3, none, withheld); before is None when nothing was confirmed earlier.
        drafts_count: drafts that wait for a decision.
    """

    run_id: str | None
    period: str | None
    state: str
    counts: dict[str, int]
    before: dict[str, int] | None
    before_period: str | None
    before_run_id: str | None
    drafts_count: int

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@router.get("/")
def overview(page: ViewerPage) -> HTMLResponse:
    """Overview."""
    reading = page.reading
    month = queries.newest_whole_month(queries.data_day(reading))
    figures = reading.remembered(("overview",), lambda: _figures(page, month))
    trend = figures["trend"]
    return page.show(
        "overview.html",
        figures=figures,
        month=month,
        night=last_night(page.settings),
        stars_now=_stars_now(page),
        dispositions=_dispositions(page),
        bands=BANDS,
        drawing=reading.remembered(("overview", "trend", page.language), lambda: _trend(page, trend)),
        term=terms_of(page.language),
    )


def _figures(page: Page, month: dt.date) -> dict[str, Any]:
    """What the version alone says."""
    reading = page.reading
    return {
        "inventory": queries.inventory(reading),
        "low_use": queries.low_use(reading, month),
        "clocks": queries.clocks(reading, month),
        "ledgers": queries.ledgers(reading),
        "findings": queries.findings(reading),
        "freshness": queries.freshness(reading),
        "trend": queries.visitors_by_month(reading),
    }


def _stars_now(page: Page) -> StarsNow:
    run = evaluated.confirmed_or_draft(page.settings)
    if run is None:
        live = page.reading.remembered(("overview", "live"), lambda: queries.live_distribution(page.reading))
        return StarsNow(None, None, "live", live, None, None, None, 0)
    before = evaluated.confirmed_before(page.settings, run)
    return StarsNow(
        run_id=run.run_id,
        period=run.period,
        state=run.state,
        counts=run.record["distribution"],
        before=before.record["distribution"] if before else None,
        before_period=before.period if before else None,
        before_run_id=before.run_id if before else None,
        drafts_count=sum(one.state == "draft" for one in evaluation_runs(page.settings)),
    )


def _dispositions(page: Page) -> dict[str, int]:
    """Apps by what the evaluation proposes for them, in the order from keeping to closing."""
    evaluation = evaluated.evaluation_for(page.settings, page.reading.version.version)
    if evaluation is None:
        return {}
    counts = Counter(evaluation.standings()["disposition"].to_pylist())
    return {value: counts[value] for value in TERMS["disposition"] if counts[value]}


def _trend(page: Page, rows: list[dict[str, Any]]) -> str:
    def label(row: dict[str, Any]) -> str:
        portal = term(page.language, "portal", row["portal"])
        partial = page.t("，部分日期缺数据", ", days are missing") if row["has_missing_days"] else ""
        return f"{portal} {formats.month(row['month'])}: {formats.number(row['visitors_count'])}{partial}"

    points = [
        {
            "month": row["month"].isoformat(),
            "portal": term(page.language, "portal", row["portal"]),
            "visitors": row["visitors_count"],
            "is_partial": row["has_missing_days"],
            "label": label(row),
        }
        for row in rows
    ]
    title = page.t("各门户月度访客（日访客之和）", "Visitors by portal and month (sum of daily visitors)")
    return svg(usage.portal_trend(points, in_wan=page.language == "zh"), title=title)
