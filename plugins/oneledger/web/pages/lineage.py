"""Lineage: the flow of tables, one table, one column, and what vouches for all of it."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi import Path as PathParameter
from starlette.responses import HTMLResponse, Response

from oneledger.audit.anchors import anchor_of_version, current_anchor
from oneledger.audit.last_verification import last_verification
from oneledger.lineage.column_answers import table_graph
from oneledger.lineage.column_graph import DECIDES, ROWS_ONLY, VALUE
from oneledger.lineage.column_impact import impact
from oneledger.lineage.column_narrow import Narrowing
from oneledger.web.desk import desk_of
from oneledger.web.flow_pictures import all_tables, column_ways, focused
from oneledger.web.page import Page, ViewerPage
from oneledger.web.queries.columns import CLOSENESS_TITLES, KIND_TITLES, uses, way_back_steps
from oneledger.web.queries.flow import LAYER_TITLES, ROOMS, Flow, Table, flow_of
from oneledger.web.queries.sql_steps import sql_steps
from oneledger.web.terms import terms_of

router = APIRouter(include_in_schema=False)

TableName = Annotated[str, PathParameter(pattern=r"^[A-Za-z_]\w{0,60}\.[A-Za-z_]\w{0,80}$")]
Layer = Literal["source", "admitted", "rule", "record", "staging", "intermediate", "marts", "evaluation"]
_SHOWN_USES = 300


@router.get("/lineage")
def lineage(
    page: ViewerPage,
    table: Annotated[str, Query(max_length=140, pattern=r"^$|^[A-Za-z_]\w*\.[A-Za-z_]\w*$")] = "",
    direction: Literal["both", "back", "on"] = "both",
    q: Annotated[str, Query(max_length=80)] = "",
    layer: Layer | Literal[""] = "",
) -> HTMLResponse:
    """The flow of all tables, or of one with its ancestors and descendants."""
    flow = flow_of(page.settings, page.reading)
    language = page.language
    root = page.request.scope.get("root_path", "")

    def address(name: str) -> str:
        return f"{root}/lineage?table={name}"

    chosen: Table | None = None
    if table:
        chosen = find_table(flow, table)
        key = ("flow-picture", chosen.name, direction, language, root)
        picture = page.reading.remembered(
            key, lambda: focused(flow, chosen.name, direction, language, address)
        )  # fmt: skip
        shown = {chosen.name}
        shown |= flow.before(chosen.name) if direction != "on" else set()
        shown |= flow.after(chosen.name) if direction != "back" else set()
    else:
        picture = page.reading.remembered(
            ("flow-picture", language, root), lambda: all_tables(flow, language, address)
        )  # fmt: skip
        shown = set(flow.tables)
    found = [one for one in flow.matching(q, layer or None) if one.name in shown]
    return page.show(
        "lineage/index.html",
        flow=flow, chosen=chosen, direction=direction, picture=picture, found=found, q=q, layer=layer,
        rooms=ROOMS, layer_titles=LAYER_TITLES, shown_count=len(shown), **_vouching(page),
    )  # fmt: skip


@router.get("/lineage/tables/{name}")
def table(page: ViewerPage, name: TableName) -> HTMLResponse:
    """One table: what it reads and feeds, its columns, and its SQL step by step."""
    flow = flow_of(page.settings, page.reading)
    one = find_table(flow, name)
    described = page.reading.remembered(("table-graph", one.name), lambda: table_graph(flow.graph, one.name))
    relation = flow.models.relations.get(one.name)
    steps = sql_steps(relation.sql) if relation is not None and relation.sql else ()
    root = page.request.scope.get("root_path", "")

    def address(other: str) -> str:
        return f"{root}/lineage/tables/{other}"

    picture = page.reading.remembered(
        ("flow-picture", one.name, "near", page.language, root),
        lambda: focused(_near(flow, one), one.name, "both", page.language, address),
    )
    return page.show(
        "lineage/table.html",
        flow=flow, table=one, described=described, steps=steps, picture=picture,
        key=flow.relations.key_of(one.name), owner=(relation.meta.get("owner") if relation else None),
        layer_titles=LAYER_TITLES, kind_titles=KIND_TITLES,
        code_hash=flow.relations.by_name[one.name].code_hash if one.name in flow.relations.by_name else None,
    )  # fmt: skip


@router.get("/lineage/columns/{name:path}")
def column(
    page: ViewerPage,
    name: Annotated[str, PathParameter(max_length=200)],
    closeness: Literal["value", "decides"] = "value",
    uses_closeness: Annotated[Literal["value", "decides", "rows"], Query(alias="uses")] = "value",
) -> HTMLResponse:
    """One column: back to the source columns, and on to what uses it, with the expression of each step."""
    flow = flow_of(page.settings, page.reading)
    node = flow.graph.nodes.get(find_column(flow, name))
    assert node is not None
    root = page.request.scope.get("root_path", "")

    def address(other: str) -> str:
        return f"{root}/lineage/{'tables' if other in flow.tables else 'columns'}/{other}"

    picture = page.reading.remembered(
        ("column-picture", node.name, closeness, page.language, root),
        lambda: column_ways(flow, node.name, closeness, page.language, address),
    )
    used = uses(flow.graph, node.name, closeness=uses_closeness)
    return page.show(
        "lineage/column.html",
        node=node, table=flow.tables.get(node.relation), picture=picture, closeness=closeness,
        uses_closeness=uses_closeness, steps=way_back_steps(flow.graph, node.name, closeness=closeness),
        used=used[:_SHOWN_USES], used_count=len(used), layer_titles=LAYER_TITLES, kind_titles=KIND_TITLES,
        closeness_titles=CLOSENESS_TITLES, notes=flow.graph.notes,
        counts={how: len(uses(flow.graph, node.name, closeness=how)) for how in (VALUE, DECIDES, ROWS_ONLY)},
    )  # fmt: skip


@router.get("/lineage/uses/{name:path}")
async def column_uses(page: ViewerPage, name: Annotated[str, PathParameter(max_length=200)]) -> Response:
    """Which indicators, published figures and readers a column reaches, each followed through its own conditions."""
    flow = flow_of(page.settings, page.reading)
    node = flow.graph.nodes[find_column(flow, name)]
    # Asked by one worker, one question after another; each figure's part is worked out for the first of them.
    narrowing = page.reading.remembered(("narrowing",), lambda: Narrowing(flow.graph, flow.models))
    is_done, found = await desk_of(page.request.app.state).answer(
        ("impact", page.reading.version.version, node.name),
        lambda: impact(page.settings, flow.graph, flow.models, [node], narrowing=narrowing),
        seconds=15,
    )
    if not is_done:
        return waiting(page, page.t("正在逐项追踪指标与公布数据", "Following each indicator and figure"), node.name)
    return page.show(
        "lineage/uses.html",
        node=node, found=found, layer_titles=LAYER_TITLES, closeness_titles=CLOSENESS_TITLES,
        term=terms_of(page.language),
    )  # fmt: skip


def waiting(page: Page, title: str, what: str) -> Response:
    """A page that says that the answer is being worked out, and asks again by itself."""
    answer = page.show("lineage/waiting.html", title=title, what=what)
    answer.headers["Refresh"] = "8"
    return answer


def find_table(flow: Flow, name: str) -> Table:
    """The table of this name.

    Raises:
        HTTPException: 404 with the names that are spelt alike.
    """
    one = flow.tables.get(name)
    if one is not None:
        return one
    near = difflib.get_close_matches(name, flow.tables, n=3, cutoff=0.5)
    meant_zh = f"是否为 {'、'.join(near)}？" if near else ""
    meant_en = f"Do you mean {' or '.join(near)}? " if near else ""
    raise HTTPException(
        404,
        f"此版本没有表 {name}。{meant_zh}请在溯源页的列表中选择。 "
        f"This version has no table {name}. {meant_en}Choose one from the list on the lineage page.",
    )


def find_column(flow: Flow, name: str) -> str:
    """The full name of a column; of a source also by its canonical name.

    Raises:
        HTTPException: 404 with the names that are spelt alike.
    """
    for wanted in (name, name.lower()):
        if wanted in flow.graph.nodes and flow.graph.nodes[wanted].layer != "raw":
            return wanted
    relation, _, last = name.rpartition(".")
    received = f"raw.{relation.replace('.', '__')}.{last}"
    for edge in flow.graph.edges_into(received):
        return edge.source
    known = [one.name for one in flow.graph.columns_of.get(relation, ())]
    near = difflib.get_close_matches(name, known or list(flow.graph.nodes), n=3, cutoff=0.5)
    meant_zh = f"是否为 {'、'.join(near)}？" if near else ""
    meant_en = f"Do you mean {' or '.join(near)}? " if near else ""
    raise HTTPException(
        404,
        f"此版本没有列 {name}。{meant_zh}请从表的页面选择列。 "
        f"This version has no column {name}. {meant_en}Choose one on the page of its table.",
    )


def _near(flow: Flow, one: Table) -> Flow:
    """The flow cut down to a table and its neighbours."""
    kept = {one.name, *one.reads, *one.used_by}
    tables = {
        name: Table(
            **{
                **table.__dict__,
                "reads": tuple(r for r in table.reads if name == one.name or r == one.name),
                "used_by": tuple(u for u in table.used_by if name == one.name or u == one.name),
            }
        )
        for name, table in flow.tables.items()
        if name in kept
    }
    return Flow(flow.graph, flow.models, flow.relations, tables)


def _vouching(page: Page) -> dict[str, Any]:
    head = current_anchor(page.settings)
    return {
        "head": head,
        "sealed_version": anchor_of_version(page.settings, page.reading.version.version),
        "verification": last_verification(page.settings),
        "command_lines": ["oneledger verify", *([f"oneledger verify --anchor {head.anchor[:16]}"] if head else [])],
    }
