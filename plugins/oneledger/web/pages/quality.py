"""Quality: nights and their verdicts, checks over time, what is withheld or old, and what was kept out."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi import Path as PathParameter
from starlette.responses import HTMLResponse

from oneledger.charts import quality as charts
from oneledger.charts import render
from oneledger.quality.quarantine import Filter, quarantine_counts
from oneledger.quality.results import check_trends, history_of, latest_results
from oneledger.runbooks import code_of_check, code_of_row_rule, page_of
from oneledger.web.access import Role
from oneledger.web.formats import moment
from oneledger.web.page import Page, ViewerPage
from oneledger.web.queries import quality as queries

router = APIRouter(include_in_schema=False)

PageNumber = Annotated[int, Query(ge=1, le=100_000, alias="page")]
Name = Annotated[str, Query(pattern=r"^[0-9A-Za-z_]{0,80}$")]
BatchId = Annotated[str, Query(pattern=r"^[0-9A-Za-z_.\-\u4e00-\u9fff]{0,160}$")]
EntityName = Annotated[str, Query(pattern=r"^[0-9A-Za-z_.\-\u4e00-\u9fff]{0,160}$")]
CheckId = Annotated[str, PathParameter(pattern=r"^[0-9A-Za-z_]{1,80}$")]


@router.get("/quality")
def quality(page: ViewerPage, show: Literal["failing", "all"] = "failing") -> HTMLResponse:
    """The newest nights, what fails and since when, what the published version lacks."""
    with queries.kept_results(page.settings) as copies:
        trends = page.reading.remembered(("check trends", copies.token), lambda: check_trends(copies.connection))
        gates = queries.gates(copies)
        counts = quarantine_counts(page.settings, connection=copies.connection)
    failing = [one for one in trends if one["failing_count"]]
    return page.show(
        "quality/index.html",
        nights=queries.newest_nights(page.settings),
        gates=gates,
        trends=trends if show == "all" else failing,
        checks_count=len(trends),
        failing_count=len(failing),
        blocking_count=sum(1 for one in trends if one["blocking_count"]),
        show=show,
        quarantined_count=sum(one["rows_count"] for one in counts),
        parts=page.reading.remembered(("withheld parts",), lambda: queries.withheld_parts(page.reading)),
        freshness=page.reading.remembered(("freshness",), lambda: queries.freshness(page.reading)),
        runbook_of=page_of,
    )


@router.get("/quality/checks/{check_id}")
def check(
    page: ViewerPage, check_id: CheckId, entity: EntityName = "", number: PageNumber = 1
) -> HTMLResponse:  # fmt: skip
    """One check: what it judges, how it went run by run, what was found and what to do."""
    with queries.kept_results(page.settings) as copies:
        latest = [one for one in latest_results(copies.connection) if one["check_id"] == check_id]
        if not latest:
            raise HTTPException(
                404,
                f"没有检查 {check_id}，请从质量页选择。 There is no check {check_id}; choose one on the page Quality.",
            )
        history = history_of(copies.connection, check_id, entity or None)
        trend = next(one for one in check_trends(copies.connection) if one["check_id"] == check_id)
        token = copies.token
    shown = [one for one in history if not one["is_passed"]] if not entity else history
    skipped = (number - 1) * queries.PAGE_ROWS
    return page.show(
        "quality/check.html",
        check=latest[0],
        runbook=page_of(code_of_check(check_id)),
        latest=latest,
        trend=trend,
        drawn=page.reading.remembered(("check history", check_id, token, page.language), lambda: _drawn(page, trend)),
        history_rows=[(moment(one["checked_at"]), one["judged_count"], one["failed_count"]) for one in trend["runs"]],
        entity=entity,
        history=shown[skipped : skipped + queries.PAGE_ROWS],
        total=len(shown),
        number=number,
        pages=queries.pages_of(len(shown), queries.PAGE_ROWS),
    )


@router.get("/quality/quarantine")
def quarantine(
    page: ViewerPage,
    source: Name = "",
    entity: Name = "",
    rule: Name = "",
    batch: BatchId = "",
    number: PageNumber = 1,
) -> HTMLResponse:
    """Rows that were kept out: counts for everybody, the rows themselves for auditors."""
    chosen = Filter(source or None, entity or None, rule or None, batch or None)
    may_see_rows = page.visitor.role >= Role.AUDITOR
    with queries.kept_results(page.settings) as copies:
        counts = quarantine_counts(page.settings, connection=copies.connection)
        rows, total = queries.kept_out(page.settings, copies, chosen, page=number) if may_see_rows else ([], 0)
    return page.show(
        "quality/quarantine.html",
        counts=counts,
        rows=rows,
        total=total,
        number=number,
        pages=queries.pages_of(total, queries.ROWS_OF_QUARANTINE),
        chosen=chosen,
        options={
            name: sorted({one[key] for one in counts})
            for name, key in (("source", "source"), ("entity", "entity"), ("rule", "rule_id"))
        },
        may_see_rows=may_see_rows,
        accounted=page.reading.remembered(("accounted for",), lambda: queries.accounted_for(page.reading)),
        runbook_of_rule=lambda rule_id: page_of(code_of_row_rule(rule_id)),
    )


@router.get("/quality/batches")
def batches(
    page: ViewerPage,
    source: Name = "",
    entity: Name = "",
    quarantined: Literal["", "yes"] = "",
    number: PageNumber = 1,
) -> HTMLResponse:
    """Every batch of the version, with its rows accounted for."""
    rows, total = queries.batches(
        page.reading, source=source or None, entity=entity or None, only_quarantined=quarantined == "yes", page=number
    )
    accounted = page.reading.remembered(("accounted for",), lambda: queries.accounted_for(page.reading))
    return page.show(
        "quality/batches.html",
        rows=rows,
        total=total,
        number=number,
        pages=queries.pages_of(total, queries.PAGE_ROWS),
        chosen={"source": source, "entity": entity, "quarantined": quarantined},
        sources=sorted({one["source"] for one in accounted}),
        entities=sorted({one["entity"] for one in accounted}),
    )


def _drawn(page: Page, trend: dict[str, object]) -> str:
    titles = {
        "failed": page.t("未通过", "not passed"), "passed": page.t("通过", "passed"),
        "judged": page.t("检查对象数", "judged"), "of": page.t("其中", "of"),
    }  # fmt: skip
    return render.svg(
        charts.check_history(trend["runs"], titles=titles),  # type: ignore[arg-type]
        title=page.t("逐次运行的检查结果", "Results run by run"),
    )
