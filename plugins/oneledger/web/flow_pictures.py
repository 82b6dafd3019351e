"""The flow as pictures: all tables, one table between its ancestors and descendants, one column and its ways."""

from __future__ import annotations

from collections.abc import Callable

from oneledger.charts.graph import Box, Edge, Line, graph_svg
from oneledger.lineage.column_graph import ColumnGraph, ColumnNode
from oneledger.lineage.column_uses import ROWS
from oneledger.web.language import Language
from oneledger.web.queries.flow import ROOMS, Flow, Table

Address = Callable[[str], str]
# More columns than this are drawn as tables: nobody follows so many lines.
_MOST_LINES = 110


def all_tables(flow: Flow, language: Language, address: Address) -> str:
    """Every table of the flow; a box leads to its focus."""
    boxes = [_box(one, language, address(one.name), kind=_aside(one)) for one in flow.ordered]
    edges = [Edge(source, target) for source, target in flow.edges(flow.tables)]
    title = language.pick("从来源到评价的全部表", "All tables from the sources to the evaluation")
    return graph_svg(_rooms(language), boxes, edges, title=title, is_dense=True)


def focused(flow: Flow, name: str, direction: str, language: Language, address: Address) -> str:
    """One table with what it is made of (``back``), what is made of it (``on``), or both."""
    before = flow.before(name) if direction != "on" else set()
    after = flow.after(name) if direction != "back" else set()
    shown = {name} | before | after
    boxes = [
        _box(
            one, language, address(one.name), has_note=True,
            kind="focus" if one.name == name else "up" if one.name in before else "down",
        )
        for one in flow.ordered
        if one.name in shown
    ]  # fmt: skip
    # Lines between two ancestors or two descendants, and to the table itself; none that pass it by.
    sides = [{name} | before, {name} | after]
    edges = [Edge(*edge) for edge in flow.edges(shown) if any(edge[0] in side and edge[1] in side for side in sides)]
    one = flow.tables[name]
    title = language.pick(f"{one.title_zh}的来路与去向", f"What {one.title_en} is made of and used for")
    return graph_svg(_rooms(language), boxes, edges, title=title, is_dense=len(boxes) > 60)


def column_ways(flow: Flow, name: str, closeness: str, language: Language, address: Address) -> str:
    """One column with all columns it is made of and those that are made of it."""
    graph = flow.graph
    before = set(graph.upstream([name], closeness=closeness)) - {name}
    after = set(graph.downstream([name], closeness=closeness)) - {name}
    nodes = {one: graph.nodes[one] for one in (name, *before, *after)}
    edges = _without_raw(graph, nodes, closeness)
    shown = {one: node for one, node in nodes.items() if node.layer != "raw" and node.relation in flow.tables}
    is_whole = len(shown) > _MOST_LINES
    boxes = []
    for table in flow.ordered:
        columns = sorted((one for one in shown.values() if one.relation == table.name), key=lambda one: one.column)
        if not columns:
            continue
        lines = tuple(
            Line(
                node.name, _column_text(node, language), _column_label(node, table, language), address(node.name),
                kind="focus" if node.name == name else "up" if node.name in before else "down",
            )
            for node in columns
        )  # fmt: skip
        is_own = any(node.name == name for node in columns)
        if is_whole:
            note = language.pick(f"{len(columns)} 列", f"{len(columns)} columns")
            boxes.append(_box(table, language, address(table.name), note=note, kind="focus" if is_own else ""))
        else:
            boxes.append(_box(table, language, address(table.name), lines=lines))
    if is_whole:
        between = {(nodes[a].relation, nodes[b].relation): kind for (a, b), kind in edges.items()}
        drawn = [Edge(a, b, kind) for (a, b), kind in between.items() if a != b]
    else:
        drawn = [Edge(a, b, kind) for (a, b), kind in edges.items() if nodes[a].relation != nodes[b].relation]
    title = language.pick(f"{name} 的来路与去向", f"What {name} is made of and used for")
    return graph_svg(_rooms(language), boxes, drawn, title=title)


def _without_raw(graph: ColumnGraph, nodes: dict[str, ColumnNode], closeness: str) -> dict[tuple[str, str], str]:
    """Edges between the nodes; what was received stands for the source's own column."""
    found: dict[tuple[str, str], str] = {}
    for one in nodes.values():
        if one.layer == "raw":
            continue
        for edge in graph.edges_into(one.name):
            if edge.source not in nodes or not (edge.is_direct or closeness != "value"):
                continue
            kind = "" if edge.is_direct else "decides"
            origin = nodes[edge.source]
            sources = [edge.source] if origin.layer != "raw" else [
                up.source for up in graph.edges_into(edge.source) if up.source in nodes
            ]  # fmt: skip
            for source in sources:
                found[source, one.name] = found.get((source, one.name), kind) and kind
    return found


def _box(
    one: Table, language: Language, href: str, *, note: str = "", has_note: bool = False, kind: str = "",
    lines: tuple[Line, ...] = (),
) -> Box:  # fmt: skip
    text = language.pick(one.title_zh, one.title_en)
    return Box(
        one.name, one.room, text, f"{text} · {one.name}", href,
        note=note or (one.name.partition(".")[2] if has_note else ""), kind=kind, lines=lines,
    )  # fmt: skip


def _aside(one: Table) -> str:
    return "aside" if one.layer in ("rule", "record") else ""


def _rooms(language: Language) -> list[str]:
    return [language.pick(zh, en) for _, zh, en in ROOMS]


def _column_text(node: ColumnNode, language: Language) -> str:
    if node.column == ROWS:
        return language.pick("（行）", "(rows)")
    return language.pick(node.title_zh, node.title_en) or node.column


def _column_label(node: ColumnNode, table: Table, language: Language) -> str:
    return f"{_column_text(node, language)} · {node.name}"
