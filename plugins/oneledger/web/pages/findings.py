"""Findings of the audit: what was found, how it stands, and the rows that show it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from starlette.responses import HTMLResponse

from oneledger.charts import findings as charts
from oneledger.charts.render import svg
from oneledger.findings.reading import show_finding
from oneledger.findings.reply import passage
from oneledger.settings import ConfigurationError
from oneledger.web import formats
from oneledger.web.language import Language
from oneledger.web.listing import NOT_GIVEN
from oneledger.web.page import Page, ViewerPage
from oneledger.web.queries import findings as ask
from oneledger.web.reading import Row
from oneledger.web.remembered import PageOfVersion
from oneledger.web.terms import term, terms_of

router = APIRouter(include_in_schema=False, route_class=PageOfVersion)

State = Literal["open", "closing", "closed", "reopened", "cannot_determine", "overdue"]
# Enough to see what it is about; the query beside it lists all.
EVIDENCE_ROWS = 10
STATES = {
    "open": ("未整改", "open"), "closing": ("整改中", "closing"), "closed": ("已销号", "closed"),
    "reopened": ("回退", "reopened"), "cannot_determine": ("无法判定", "cannot determine"),
    "overdue": ("超期", "overdue"),
}  # fmt: skip


@router.get("/findings")
def findings(
    page: ViewerPage,
    state: Annotated[State | None, NOT_GIVEN] = None,
    office: Annotated[str, Query(max_length=60)] = "",
) -> HTMLResponse:
    """The list."""
    rows = [
        {**row, "amounts": _amounts(page.language, row)}
        for row in page.reading.remembered(("findings",), lambda: ask.findings(page.reading))
    ]
    shown = [
        row
        for row in rows
        if (not state or row["state"] == state or (state == "overdue" and row["is_overdue"]))
        and (not office or row["office"] == office)
    ]
    return page.show(
        "findings/index.html",
        term=terms_of(page.language),
        rows=rows,
        shown=shown,
        state=state,
        states=STATES,
        office=office,
        offices=sorted({row["office"] for row in rows if row["office"]}),
    )


@router.get("/findings/{finding_id}")
def finding(
    page: ViewerPage,
    finding_id: Annotated[str, Path(pattern=r"^(\d{4}-)?\d{1,3}$", description="2022-3, or 3 of the newest list")],
) -> HTMLResponse:
    """One finding."""
    year, _, number = finding_id.rpartition("-")
    try:
        shown = page.reading.remembered(
            ("finding", finding_id),
            lambda: show_finding(
                page.settings,
                int(number),
                page.reading.version.version,
                list_year=int(year) if year else None,
                rows=EVIDENCE_ROWS,
            ),
        )
    except ConfigurationError as error:
        raise HTTPException(
            404,
            f"整改清单中没有问题 {finding_id}。请从问题清单中选择。 {error}",
        ) from error
    head = shown["finding"]
    metrics = [_metric(page, metric, shown) for metric in shown["metrics"]]
    evidence = [row for metric in metrics for row in metric["evidence"]]
    return page.show(
        "findings/finding.html",
        term=terms_of(page.language),
        finding=head,
        finding_id=f"{head['list_year']}-{head['finding_number']}",
        metrics=metrics,
        history=shown["history"],
        replied=ask.replied_on(page.reading, head["list_year"], head["finding_number"]),
        reply=passage(head["list_year"], head["title_zh"]),
        names=ask.names(
            page.reading,
            {row["app_id"] for row in evidence if row.get("app_id")},
            {row["project_id"] for row in evidence if row.get("project_id")},
        ),
    )


def _metric(page: Page, metric: Row, shown: Row) -> dict[str, Any]:
    """A metric as the page shows it: amounts as they are written, its chart, and the keys of its evidence."""
    title = page.t(metric["title_zh"], metric["title_en"])
    months = [
        {**one, "measured_on": month["measured_on"]}
        for month in shown["history"]
        for one in month["metrics"]
        if one["metric_id"] == metric["metric_id"]
    ]
    keys = metric["evidence_key"].split(",")
    return {
        **metric,
        "amounts": _amounts(page.language, metric),
        "months": [[one["month"], amount(page.language, one["value"], metric["unit"]), one["state"]] for one in months],
        "chart": page.reading.remembered(
            ("finding.chart", metric["list_year"], metric["finding_number"], metric["metric_id"], page.language),
            lambda: _chart(page, metric, months, title),
        ),
        "keys": keys,
        "evidence": [
            {**row, "trace_keys": [f"{name}={'' if row[name] is None else row[name]}" for name in keys]}
            for row in metric["evidence"]
        ],
    }


def _chart(page: Page, metric: Row, months: list[Row], title: str) -> str | None:
    if not months:
        return None
    found: tuple[dt.date, float] | None = None
    if metric["found_on"] is not None and metric["value_when_found"] is not None:
        found = (metric["found_on"], metric["value_when_found"])
    rows = [
        {
            **one,
            "text": amount(page.language, one["value"], metric["unit"]),
            "state_title": term(page.language, "metric_state", one["state"]),
        }
        for one in months
    ]
    specification = charts.metric_history(
        rows, target=metric["target"], remedy_on=metric["remedy_on"], found=found, is_rate=metric["unit"] == "rate",
        t=page.t,
    )  # fmt: skip
    return svg(specification, title=title)


def _amounts(language: Language, row: Row) -> dict[str, str]:
    """Found, now and target as they are written."""
    target = amount(language, row["target"], row["unit"])
    sign = term(language, "comparison", row["comparison"])
    return {
        "found": amount(language, row["value_when_found"], row["unit"]),
        "now": amount(language, row["value_now"], row["unit"]),
        "target": f"{sign} {target}" if row["target"] is not None else sign,
        "unit": "" if row["unit"] in ("rate", "cny") else term(language, "unit", row["unit"]),
    }


def amount(language: Language, value: float | None, unit: str) -> str:
    """A metric's value as it is written in its unit; ``—`` where it is not known."""
    if unit == "rate":
        return formats.rate(value, 1 if value is None or abs(value) >= 0.1 or value == 0 else 2)
    if unit == "cny":
        return formats.money(value, language)
    return formats.number(value, 0 if value is None or value == int(value) else 2)
