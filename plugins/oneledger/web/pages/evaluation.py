"""Evaluation runs: which there are, one of them, two compared, and the decision about a draft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Query
from fastapi import Path as PathParameter
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from oneledger.charts import evaluation as charts
from oneledger.charts import render
from oneledger.evaluation.deciding import DecisionRefusedError, confirm, reject
from oneledger.evaluation.diffing import diff
from oneledger.evaluation.drafting import BANDS
from oneledger.evaluation.runs import evaluation_runs, find_run, preferred_run
from oneledger.locks import BusyError
from oneledger.settings import ConfigurationError
from oneledger.warehouse.evaluation_runs import EvaluationRun
from oneledger.web.access import Role
from oneledger.web.page import EngineerPage, Page, ViewerPage
from oneledger.web.queries import evaluation as queries
from oneledger.web.queries.reports import find_report

router = APIRouter(include_in_schema=False)

RunName = Annotated[str, PathParameter(pattern=r"^[0-9A-Za-z.\-]{4,80}$")]
ChosenRun = Annotated[str | None, Query(pattern=r"^([0-9A-Za-z.\-]{4,80})?$")]
PageNumber = Annotated[int, Query(ge=1, le=100_000, alias="page")]
SearchText = Annotated[str, Query(max_length=80)]
Written = Annotated[str, Form(max_length=500, pattern=r"\S")]
_MOVED = ("fell", "withheld", "left", "rose", "entered", "scored_again")
Movement = Literal["fell", "withheld", "left", "rose", "entered", "scored_again", "same_stars", "all"]


@router.get("/evaluation")
def evaluation(page: ViewerPage) -> HTMLResponse:
    """The result in force, and every run."""
    runs = list(reversed(evaluation_runs(page.settings)))
    shown = preferred_run(page.settings)
    live = page.reading.remembered(("live stars",), lambda: queries.live_stars(page.reading)) if shown is None else []
    return page.show(
        "evaluation/index.html",
        runs=runs,
        live=live,
        shown=shown,
        histogram=_histogram(page, shown) if shown else None,
        withheld=_withheld(page, shown) if shown else None,
    )


@router.get("/evaluation/runs/{run_id}")
def run(
    page: ViewerPage,
    run_id: RunName,
    q: SearchText = "",
    stars: Literal["", "5", "4", "3", "none", "withheld"] = "",
    sort: queries.ResultSort = "-score",
    number: PageNumber = 1,
    decided: Literal["", "confirmed", "rejected"] = "",
) -> HTMLResponse:
    """One run: what it was made of, what came out, who decided."""
    shown = _run(page, run_id)
    return page.show(
        "evaluation/run.html",
        run=shown,
        histogram=_histogram(page, shown),
        withheld=_withheld(page, shown),
        results=queries.results_of(shown, text=q, band=stars or None, sort=sort, page=number),
        chosen={"q": q, "stars": stars, "sort": sort, "page": number},
        superseded_by=queries.superseded_by(page.settings, shown) if shown.state == "superseded" else None,
        in_force=queries.in_force_of_round(page.settings, shown) if shown.state == "draft" else None,
        report=find_report(page.settings, shown.run_id),
        may_decide=page.visitor.role >= Role.ENGINEER,
        decided=decided,
    )


@router.get("/evaluation/runs/{run_id}/results.csv")
def results_file(
    page: ViewerPage,
    run_id: RunName,
    q: SearchText = "",
    stars: Literal["", "5", "4", "3", "none", "withheld"] = "",
    sort: queries.ResultSort = "-score",
) -> StreamingResponse:
    """The results of a run as CSV, with the same filter as its page."""
    shown = _run(page, run_id)
    return StreamingResponse(
        queries.results_as_csv(shown, text=q, band=stars or None, sort=sort),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{shown.run_id}.csv"'},
    )


@router.post("/evaluation/runs/{run_id}/decision")
def decide(
    page: EngineerPage,
    run_id: RunName,
    decision: Annotated[Literal["confirm", "reject"], Form()],
    name: Written,
    reason: Written,
    supersedes: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """Confirm or reject a draft; back to its page, which says what happened."""
    shown = _run(page, run_id)
    through: dict[str, Any] = {"way": "web", "visitor": page.visitor.name, "role": page.visitor.role.title_en}
    try:
        if decision == "confirm":
            confirm(
                page.settings, shown.run_id, name=name, reason=reason, supersedes=supersedes or None, through=through
            )
        else:
            reject(page.settings, shown.run_id, name=name, reason=reason, through=through)
    except DecisionRefusedError as error:
        raise HTTPException(409, f"不能作此决定：情况已有变化，请回到该运行页面查看。 {error}") from error
    except BusyError as error:
        raise HTTPException(
            409,
            f"另一项决定正在封存，请稍候再试。 {error.problem} {error.rule} Nothing was decided; try again.",
        ) from error
    except ConfigurationError as error:
        raise HTTPException(503, f"现在不能封存决定。 The decision cannot be sealed now: {error}") from error
    root = page.request.scope.get("root_path", "")
    done = "confirmed" if decision == "confirm" else "rejected"
    return RedirectResponse(f"{root}/evaluation/runs/{shown.run_id}?decided={done}", status_code=303)


@router.get("/evaluation/compare")
def compare(
    page: ViewerPage,
    first: ChosenRun = None,
    second: ChosenRun = None,
    movement: Annotated[Movement | None, Query()] = None,
    number: PageNumber = 1,
) -> HTMLResponse:
    """Two runs: who moved, why, and from which stars to which."""
    runs = list(reversed(evaluation_runs(page.settings)))
    if len(runs) < 2 and not (first and second):
        return page.show("evaluation/compare.html", runs=runs, answer=None)
    second_run = _run(page, second) if second else runs[0]
    first_run = _run(page, first) if first else _base_of(runs, second_run)
    try:
        answer = page.reading.remembered(
            ("diff", first_run.run_id, second_run.run_id),
            lambda: diff(page.settings, first_run.run_id, second_run.run_id),
        )
    except ConfigurationError as error:
        raise HTTPException(409, f"这两次运行无法比较。 These two runs cannot be compared: {error}") from error
    movements = answer["summary"]["movements"]
    moved = [one for one in answer["items"] if one["movement"] in _MOVED]
    wanted = movement or ("all" if not moved else None)
    items = [
        one for one in answer["items"]
        if wanted == "all" or one["movement"] == wanted or (wanted is None and one["movement"] in _MOVED)
    ]  # fmt: skip
    items.sort(key=lambda one: (_rank(one["movement"]), -abs(one["score_change"] or 0), one["app_id"]))
    skipped = (number - 1) * queries.PAGE_ROWS
    return page.show(
        "evaluation/compare.html",
        runs=runs,
        answer=answer,
        first=first_run,
        second=second_run,
        matrix=page.reading.remembered(
            ("transitions", first_run.run_id, second_run.run_id), lambda: queries.transitions(first_run, second_run)
        ),
        bands=(*BANDS, "absent"),
        drawn=_before_and_after(page, first_run, second_run),
        movements=movements,
        indicator_titles=queries.indicator_titles(second_run, first_run),
        movement=movement or "",
        items=items[skipped : skipped + queries.PAGE_ROWS],
        total=len(items),
        number=number,
        pages=-(-len(items) // queries.PAGE_ROWS),
    )


def band_titles(page: Page) -> dict[str, str]:
    """What bands of stars are called."""
    return {
        "5": page.t("五星", "5 stars"), "4": page.t("四星", "4 stars"), "3": page.t("三星", "3 stars"),
        "none": page.t("未达星级", "no stars"), "withheld": page.t("暂不评", "withheld"),
    }  # fmt: skip


def _run(page: Page, name: str) -> EvaluationRun:
    try:
        return find_run(page.settings, name)
    except ConfigurationError as error:
        raise HTTPException(404, f"没有这次评价运行，请从评价页选择。 {error}") from error


def _base_of(runs: list[EvaluationRun], second: EvaluationRun) -> EvaluationRun:
    """What a run is compared with when nobody says: the run it was gated against, else the one made before."""
    others = [one for one in runs if one.run_id != second.run_id]
    named = [one for one in others if one.run_id == second.record["compared_with"]]
    older = [one for one in others if one.record["created_at"] < second.record["created_at"]]
    return (named or older or others)[0]


def _rank(movement: str) -> int:
    return _MOVED.index(movement) if movement in _MOVED else len(_MOVED)


def _withheld(page: Page, run: EvaluationRun) -> queries.Withheld:
    return page.reading.remembered(("withheld", run.run_id), lambda: queries.withheld_in(run))


@dataclass(frozen=True)
class Drawn:
    """A chart and the numbers in it, a row a mark."""

    svg: str
    rows: list[tuple[Any, ...]]


def _bins(page: Page, run: EvaluationRun) -> list[dict[str, Any]]:
    return page.reading.remembered(("score bins", run.run_id), lambda: queries.score_bins(run, charts.BIN))


def _histogram(page: Page, run: EvaluationRun) -> Drawn:
    bins = _bins(page, run)
    titles = {**band_titles(page), "score": page.t("得分", "score"), "apps": page.t("应用数", "apps")}
    lines = [(f"{stars}★ {score:g}", score) for stars, score in queries.star_cut_offs(run)]
    drawn = page.reading.remembered(
        ("histogram", run.run_id, page.language),
        lambda: render.svg(
            charts.score_histogram(bins, lines, titles=titles),
            title=page.t(f"{run.period} 各应用得分分布", f"Scores of the apps, {run.period}"),
        ),
    )
    rows = [
        (f"{one['from_score']}–{one['from_score'] + charts.BIN}", titles[one["band"]], one["apps_count"])
        for one in bins
    ]
    return Drawn(drawn, rows)


def _before_and_after(page: Page, first: EvaluationRun, second: EvaluationRun) -> str:
    titles = {
        **band_titles(page), "before": page.t("前一次", "first"), "after": page.t("后一次", "second"),
        "apps": page.t("应用数", "apps"),
    }  # fmt: skip
    return page.reading.remembered(
        ("before and after", first.run_id, second.run_id, page.language),
        lambda: render.svg(
            charts.stars_before_and_after(first.record["distribution"], second.record["distribution"], titles=titles),
            title=page.t("两次评价的星级分布", "Stars in the two evaluations"),
        ),
    )
