"""``/api/v1/lineage`` and ``/api/v1/trace``: what a column is made of, and a number down to the landed lines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from starlette.responses import Response

from oneledger.lineage import subjects
from oneledger.lineage.column_answers import way_back
from oneledger.lineage.column_graph import ColumnGraph
from oneledger.lineage.column_impact import impact
from oneledger.lineage.column_names import found_columns
from oneledger.lineage.column_reading import read_graph
from oneledger.lineage.column_uses import LineageError
from oneledger.lineage.ground import read_models
from oneledger.lineage.subjects import Subject
from oneledger.lineage.trace_report import SHOWN_LINES
from oneledger.lineage.trace_report import trace as trace_back
from oneledger.web.api.calls import AuditorCall, Call, ViewerCall
from oneledger.web.api.models import ColumnLineage, Trace
from oneledger.web.api.plain import plain
from oneledger.web.api.problems import BadParameter, BadQuestionError
from oneledger.web.api.saying import says

router = APIRouter()

# A trace reads much: few at a time, so that the pages stay quick.
_TRACES = threading.BoundedSemaphore(2)
_WAIT_SECONDS = 20
_SHOWN_TRACE = ("ok", "subject", "published", "verdict", "steps", "rules", "landed", "notes", "problems")
Word = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]+$")]


@router.get(
    "/lineage/columns/{schema}.{table}.{column}", name="column_lineage",
    **says("列的血缘", "Lineage of a column", model=ColumnLineage,
           example="/api/v1/lineage/columns/evaluation.app_stars.stars?uses=true",
           description_zh="列由哪些来源列与规则得出；uses=true 时再列出谁用它。",
           description_en="The source columns and rules that a column comes from; with uses=true also what uses it."),
)  # fmt: skip
def column_lineage(
    call: ViewerCall,
    schema: Annotated[str, Path(pattern=r"^[a-z_]{1,63}$")],
    table: Annotated[str, Path(pattern=r"^[A-Za-z0-9_]{1,63}$")],
    column: Annotated[str, Path(pattern=r"^[A-Za-z0-9_]{1,63}$")],
    uses: Annotated[bool, Query(description="Also what depends on the column.")] = False,
) -> Response:
    """A column back to the sources."""
    graph = _graph(call)
    found = found_columns(graph, f"{schema}.{table}.{column}")
    if len(found) != 1:
        raise HTTPException(404, f"{schema}.{table}.{column} 不是一列。 This is not one column.")

    def make() -> dict[str, Any]:
        models = read_models(call.reading.version)
        used = plain(impact(call.settings, graph, models, found)) if uses else None
        return {**plain(way_back(graph, found[0].name)), "uses": used}

    return call.answer(make)


@router.get(
    "/trace", name="trace",
    **says("溯源", "Trace", model=Trace, more_errors=(503,), example="/api/v1/trace?star=A33050000001&lines=3",
           description_zh="审计员可见：从公布的数逐级到接收文件的行，并逐级重算。"
           "star、points（加 indicator）、figure、share、relation（加 key 与 column）五选一。",
           description_en="For auditors: from a published number step by step to the lines of landed files, each step "
           "recomputed. One of star, points (with indicator), figure, share, or relation (with key and column)."),
)  # fmt: skip
def trace(
    call: AuditorCall,
    star: Word = None,
    points: Word = None,
    indicator: Word = None,
    figure: Word = None,
    share: Word = None,
    year: Annotated[str | None, Query(pattern=r"^\d{4}$", description="With share: which budget year.")] = None,
    relation: Annotated[str | None, Query(pattern=r"^[a-z_]{1,63}\.[a-z0-9_]{1,63}$")] = None,
    key: Annotated[
        str | None, Query(max_length=1000, pattern=r"^[^\x00]+$", description="column=value, joined by commas")
    ] = None,
    column: Annotated[str | None, Query(max_length=500, pattern=r"^[A-Za-z0-9_,]+$")] = None,
    lines: Annotated[int, Query(ge=0, le=1000, description="Landed lines shown of each entity.")] = SHOWN_LINES,
    recompute: bool = True,
) -> Response:
    """From a published number to the landed lines."""
    subject = _subject(
        star=star, points=points, indicator=indicator, figure=figure, share=share, year=year, relation=relation,
        key=key, column=column,
    )  # fmt: skip

    def make() -> dict[str, Any]:
        with _few_at_a_time():
            report = trace_back(
                call.settings, subject, version=call.reading.version.version, lines=lines, recompute=recompute
            )
        return {name: plain(report[name]) for name in _SHOWN_TRACE}

    # Whether a landed file still is as received may change under the same version: tagged by content.
    return call.answer_of_now(make())


def _subject(**given: str | None) -> Subject:
    kinds = [name for name in ("star", "points", "figure", "share", "relation") if given[name] is not None]
    problems = []
    if len(kinds) != 1:
        problems.append(BadParameter(
            ", ".join(kinds) or "star", "",
            "star、points、figure、share、relation 只给一个。 "
            "Give just one of star, points, figure, share and relation.",
        ))  # fmt: skip
    belongs = {"indicator": "points", "year": "share", "key": "relation", "column": "relation"}
    problems += [
        BadParameter(name, str(given[name]), f"只与 {whose} 同用。 It belongs to {whose}.")
        for name, whose in belongs.items()
        if given[name] is not None and given[whose] is None
    ]
    if given["points"] is not None and given["indicator"] is None:
        problems.append(BadParameter("indicator", "", "points 需要 indicator。 points needs an indicator."))
    if given["relation"] is not None and not _pairs(given["key"]):
        problems.append(
            BadParameter("key", given["key"] or "", "应为 列=值，用逗号分隔。 Expected column=value, joined by commas.")
        )
    if problems:
        raise BadQuestionError(problems)
    if given["star"] is not None:
        return subjects.star(given["star"])
    if given["points"] is not None:
        return subjects.points(given["points"], str(given["indicator"]))
    if given["figure"] is not None:
        return subjects.figure(given["figure"])
    if given["share"] is not None:
        return subjects.share(given["share"], given["year"])
    return subjects.cell(str(given["relation"]), _pairs(given["key"]), (given["column"] or "").split(",") if
                         given["column"] else ())  # fmt: skip


def _pairs(text: str | None) -> dict[str, str]:
    words = [one.partition("=") for one in (text or "").split(",")]
    return {name: value for name, mark, value in words} if all(name and mark for name, mark, _ in words) else {}


@contextmanager
def _few_at_a_time() -> Iterator[None]:
    if not _TRACES.acquire(timeout=_WAIT_SECONDS):
        raise HTTPException(
            503,
            "同时溯源的请求过多，请稍后再试。 Too many traces at once; try again in a moment.",
            headers={"Retry-After": "10"},
        )
    try:
        yield
    finally:
        _TRACES.release()


def _graph(call: Call) -> ColumnGraph:
    try:
        return call.reading.remembered(("api.column_graph",), lambda: read_graph(call.settings, call.reading.version))
    except LineageError as error:
        raise HTTPException(404, f"此版本的血缘读不出。 The lineage of this version cannot be read: {error}") from error
