"""Trace both ways: from a published number to the landed lines, and from a landed line to what it influenced."""

# Annotations are values here: FastAPI reads those of the dependency.

import functools
import json
import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi import Path as PathParameter
from starlette.responses import HTMLResponse, Response

from oneledger.catalogue import load_catalogue
from oneledger.lineage.influence import find_place, influence
from oneledger.lineage.landed_lines import read_landed_lines
from oneledger.lineage.trace_page import page as trace_page
from oneledger.lineage.trace_report import trace
from oneledger.quality.personal_data import masked
from oneledger.settings import ConfigurationError
from oneledger.web.desk import desk_of
from oneledger.web.page import AuditorPage, Page, ViewerPage
from oneledger.web.pages.lineage import find_table, waiting
from oneledger.web.queries import batches, trace_choices
from oneledger.web.queries.flow import PUBLISHED_LAYERS, flow_of
from oneledger.web.trace_views import Asked, check_may_trace, command_of, head_of, run_of, seen_by, subject_of

router = APIRouter(include_in_schema=False)

_Code = Annotated[str, Query(max_length=80, pattern=r"^[\w.\-]*$")]
# Nearly every trace is there by then; a page that asks again by itself is for the others.
_WAIT_SECONDS = 15.0
_DOWNLOAD_SECONDS = 180.0


def asked(
    subject: Literal["", "star", "points", "figure", "share", "cell"] = "",
    star: _Code = "",
    points: _Code = "",
    indicator: _Code = "",
    indicator_id: _Code = "",
    figure: _Code = "",
    figure_id: _Code = "",
    share: _Code = "",
    year: Annotated[str, Query(pattern=r"^(|\d{4})$")] = "",
    app_id: _Code = "",
    project_id: _Code = "",
    relation: Annotated[str, Query(max_length=140, pattern=r"^[\w.]*$")] = "",
    key: Annotated[list[Annotated[str, Query(max_length=200)]], Query(max_length=12)] = [],  # noqa: B006 - FastAPI copies it
    column: Annotated[list[Annotated[str, Query(max_length=80, pattern=r"^\w*$")]], Query(max_length=40)] = [],  # noqa: B006
    run: Annotated[str, Query(max_length=120, pattern=r"^[\w.\-]*$")] = "",
    lines: Annotated[int, Query(ge=1, le=200)] = 10,
) -> Asked:
    """The trace that an address asks for; ``subject=star&app_id=…`` says the same as ``star=…``."""
    return Asked(
        subject=subject,
        star=star or (app_id if subject == "star" else ""),
        points=points or (app_id if subject == "points" else ""),
        indicator=indicator or indicator_id,
        figure=figure or (figure_id if subject == "figure" else ""),
        share=share or (project_id if subject == "share" else ""),
        year=year, relation=relation, keys=tuple(one for one in key if one),
        columns=tuple(one for one in column if one), run=run, lines=lines,
    )  # fmt: skip


AskedTrace = Annotated[Asked, Depends(asked)]
FileId = Annotated[str, Query(max_length=240, pattern=r"^([^/\\\x00-\x1f][^\\\x00-\x1f]*)?$")]
BatchId = Annotated[str, PathParameter(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+\.[\w\-]+\.r\d{3,6}$", max_length=160)]


@router.get("/lineage/trace")
async def trace_back(page: ViewerPage, asked: AskedTrace) -> Response:
    """The form, or the trace that it asks for."""
    if asked.is_empty:
        return _form(page, asked)
    is_done, report = await _report(page, asked, seconds=_WAIT_SECONDS)
    if not is_done:
        return waiting(page, page.t("正在追溯并重算", "Tracing, and computing each step again"), _what(asked))
    seen = seen_by(report, page.visitor)
    flow = flow_of(page.settings, page.reading)
    relation = flow.models.relations.get(report["subject"]["relation"])
    return page.show(
        "lineage/trace.html",
        report=seen, head=head_of(report), asked=asked, command_text=command_of(report, asked.run),
        titles={name: one.get("meta", {}) for name, one in relation.columns.items()} if relation else {},
        steps={one["relation"]: one for one in seen["steps"]}, rules={one["relation"]: one for one in seen["rules"]},
        landed={one["relation"]: one for one in seen["landed"]}, notes={one["relation"]: one for one in seen["notes"]},
        query=page.request.url.query, tables=flow.tables,
    )  # fmt: skip


@router.get("/lineage/trace/download.json")
async def trace_as_json(page: AuditorPage, asked: AskedTrace) -> Response:
    """The whole trace for programs."""
    report = await _whole(page, asked)
    text = json.dumps(seen_by(report, page.visitor), ensure_ascii=False, default=str, indent=1)
    return Response(text, media_type="application/json", headers=_as_file(report, "json"))


@router.get("/lineage/trace/download.html")
async def trace_as_page(page: AuditorPage, asked: AskedTrace) -> Response:
    """The whole trace as one page to hand over, that needs no other file."""
    report = await _whole(page, asked)
    return Response(trace_page(report), media_type="text/html", headers=_as_file(report, "html"))


@router.get("/lineage/trace/forward")
async def trace_forward(
    page: AuditorPage,
    file: FileId = "",
    line: Annotated[int | None, Query(ge=1, le=1_000_000_000)] = None,
) -> Response:
    """What a landed file, or one record of it, may have influenced."""
    if not file:
        return page.show("lineage/forward.html", file="", line=None, reached=None, shown=None)
    if ".." in file:
        raise HTTPException(
            422,
            "文件编号中不能有两个连着的点。 "
            "A file id has no two dots in a row; batches and traces show how it is written.",
        )
    text = f"{file.strip()}:{line}" if line else file.strip()
    key = ("influence", page.reading.version.version, text)
    version = page.reading.version.version
    is_done, found = await desk_of(page.request.app.state).answer(
        key, functools.partial(_influence, page, text, version), seconds=_WAIT_SECONDS
    )
    if not is_done:
        return waiting(page, page.t("正在追踪去向", "Following it forwards"), text)
    if isinstance(found, ConfigurationError):
        raise HTTPException(
            404,
            f"没有唯一对应 {file} 的入库文件。请给出文件编号，例如 zheliban.usage.20221031.r001/usage_20221031.csv.gz，"
            "它列在批次页和溯源结果中。 "
            f"No one landed file is called {file}. Give its id as batches and traces show it.",
        )
    reached, shown = found
    return page.show("lineage/forward.html", file=reached["file_id"], line=line, reached=reached, shown=shown)


@router.get("/lineage/batches")
def batch_list(
    page: ViewerPage,
    source: Annotated[str, Query(max_length=60, pattern=r"^\w*$")] = "",
    entity: Annotated[str, Query(max_length=60, pattern=r"^\w*$")] = "",
    quarantined: bool = False,
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> HTMLResponse:
    """The batches that the version is made from."""
    rows, total = batches.batch_rows(
        page.reading, source=source, entity=entity, is_quarantined=quarantined, page=number
    )  # fmt: skip
    kinds = page.reading.remembered(("batch-sources",), lambda: batches.batch_sources(page.reading))
    return page.show(
        "lineage/batches.html",
        rows=rows, total=total, number=number, pages=-(-total // batches.PAGE_SIZE), kinds=kinds, source=source,
        entity=entity, quarantined=quarantined,
    )  # fmt: skip


@router.get("/lineage/batches/{batch_id}")
def batch(page: ViewerPage, batch_id: BatchId) -> HTMLResponse:
    """One batch: its manifest and files, what became of its rows, and where it stands in the chains."""
    state = batches.batch_state(page.settings, page.reading, batch_id)
    if state is None:
        raise HTTPException(
            404,
            f"没有批次 {batch_id}：此版本未采用，入库区也没有。请在批次清单中选择。 "
            f"There is no batch {batch_id}, neither in this version nor in landing. Choose one from the list.",
        )
    return page.show("lineage/batch.html", state=state, batch_id=batch_id)


def _form(page: Page, asked: Asked) -> Response:
    flow = flow_of(page.settings, page.reading)
    reading = page.reading
    chosen = find_table(flow, asked.relation) if asked.relation else None
    relation = flow.models.relations.get(chosen.name) if chosen else None
    return page.show(
        "lineage/trace_form.html",
        asked=asked,
        apps=reading.remembered(("trace-apps",), lambda: trace_choices.starred_apps(reading)),
        indicators=reading.remembered(("trace-indicators",), lambda: trace_choices.indicators(reading)),
        figures=reading.remembered(("trace-figures",), lambda: trace_choices.figures(reading)),
        projects=reading.remembered(("trace-projects",), lambda: trace_choices.funded_projects(reading)),
        tables=[one for one in flow.ordered if one.layer in PUBLISHED_LAYERS],
        chosen=chosen,
        key_columns=flow.relations.key_of(chosen.name) if chosen else (),
        columns=relation.columns if relation else {},
    )


async def _report(page: Page, asked: Asked, *, seconds: float) -> tuple[bool, dict[str, Any]]:
    run = run_of(page.settings, asked.run)
    subject = subject_of(asked, run.round_id if run is not None else None)
    check_may_trace(subject, page.visitor)
    version = run.record["version"] if run is not None else page.reading.version.version
    key = ("trace", version, run.run_id if run else "", repr(subject), asked.lines)
    settings = page.settings
    try:
        return await desk_of(page.request.app.state).answer(
            key, lambda: trace(settings, subject, version=version, run=run, lines=asked.lines), seconds=seconds
        )
    except ConfigurationError as error:
        message = str(error).replace(str(settings.home), "…")
        raise HTTPException(404, f"无法追溯，请核对所给的编码与主键。 It cannot be traced: {message}") from error


async def _whole(page: Page, asked: Asked) -> dict[str, Any]:
    if asked.is_empty:
        raise HTTPException(
            422, "请说明追溯什么，例如 ?star=应用编码。 Say what to trace, for instance ?star=A33050000001."
        )
    is_done, report = await _report(page, asked, seconds=_DOWNLOAD_SECONDS)
    if not is_done:
        raise HTTPException(
            503, "追溯尚未完成，请稍后再下载。 The trace is not done yet; download it in a minute.",
            headers={"Retry-After": "60"},
        )  # fmt: skip
    return report


def _influence(page: Page, text: str, version: str) -> Any:
    """The influence and, of one record, the line itself; a ConfigurationError is an answer too and is kept."""
    settings = page.settings
    try:
        place = find_place(settings, text)
        reached = influence(settings, place, version=version)
    except ConfigurationError as error:
        return error
    if place.row_number is None:
        return reached, None
    found = read_landed_lines(settings, load_catalogue(settings), place.file_id, [place.row_number])
    return reached, _shown_line(found.lines[0]) if found is not None and found.lines else None


def _shown_line(line: Any) -> dict[str, Any]:
    """A landed line as pages show it: what has the form of a personal number with its middle as stars."""
    import duckdb

    names = list(line.cells)
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"select {masked('cell')} from (select unnest(?) as cell, unnest(?) as place) order by place",
            [[line.text, *(line.cells[name] or "" for name in names)], list(range(len(names) + 1))],
        ).fetchall()
    return {
        "first_line": line.first_line, "row_number": line.row_number, "sheet": line.sheet, "text": rows[0][0],
        "cells": {name: row[0] for name, row in zip(names, rows[1:], strict=True)},
    }  # fmt: skip


def _what(asked: Asked) -> str:
    parts = [asked.star, asked.points, asked.indicator, asked.figure, asked.share, asked.year, asked.relation]
    return " ".join([one for one in (*parts, *asked.keys, *asked.columns) if one])


def _as_file(report: dict[str, Any], kind: str) -> dict[str, str]:
    words = "-".join([report["subject"]["relation"], *report["subject"]["key"].values()])
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "_", words)[:120]
    return {"Content-Disposition": f'attachment; filename="trace-{name}.{kind}"'}
