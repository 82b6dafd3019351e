"""What ``oneledger lineage`` answers, as plain data: a column's way back as a tree and a table, and completeness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from oneledger.lineage.column_graph import DECIDES, VALUE, ColumnGraph, ColumnNode, GraphEdge
from oneledger.lineage.column_impact import shown, titles_of
from oneledger.lineage.column_uses import ROWS

_LAYER_WORDS = {
    "source": "source column", "rule": "rule", "record": "record", "raw": "as received", "admitted": "admitted",
}  # fmt: skip


def way_back(graph: ColumnGraph, name: str, *, closeness: str = DECIDES) -> dict[str, Any]:
    """One column back to its sources.

    Returns:
        ``column``, ``tree`` (nested steps that its value is made of, each with the columns that ``decided_by`` it) and
        ``leaves`` (source columns, rules, records and declared constants: ``closeness``, ``place``).
    """
    up = graph.upstream([name], closeness=closeness)
    leaves = [
        {**shown(node), "closeness": up[node.name], "kind": leaf_kind(node), "place": node.place,
         "constant": node.constant, "constants": list(node.constants[:12])}
        for node in (graph.nodes[one] for one in up)
        if node.column != ROWS and (node.is_leaf_layer or node.constant)
    ]  # fmt: skip
    leaves.sort(key=lambda one: (one["closeness"] != VALUE, one["kind"] != "source column", one["name"]))
    return {"column": _described(graph.nodes[name]), "tree": _tree(graph, name, set()), "leaves": leaves}


def table_graph(graph: ColumnGraph, relation: str) -> dict[str, Any]:
    """A table with its columns, each with what its value is made of, and the tables that it reads and is read by."""
    columns = []
    for node in graph.columns_of.get(relation, ()):
        direct = [edge for edge in graph.edges_into(node.name) if edge.is_direct]
        sources = [leaf.name for leaf in graph.leaves(node.name, closeness=VALUE) if leaf.column != ROWS]
        columns.append(
            {**_described(node), "from": [edge.source for edge in direct], "sources": sources,
             "kinds": list(dict.fromkeys(edge.kind for edge in direct))}
        )  # fmt: skip
    reads = {graph.nodes[edge.source].relation for one in _all(graph, relation) for edge in graph.edges_into(one)}
    read_by = {graph.nodes[edge.target].relation for one in _all(graph, relation) for edge in graph.edges_out_of(one)}
    order = {name: place for place, name in enumerate(graph.relations)}
    return {
        "relation": relation,
        **titles_of(graph, relation),
        "rows_depend_on": _uses(graph, graph.edges_into(f"{relation}.{ROWS}")),
        "columns": columns,
        "reads": sorted(reads - {relation}, key=lambda one: order.get(one, 0)),
        "read_by": sorted(read_by - {relation}, key=lambda one: order.get(one, 0)),
    }


def completeness(graph: ColumnGraph, schemas: Iterable[str] = ("marts", "evaluation")) -> dict[str, Any]:
    """Whether each column of the marts and the evaluation reaches a source column, a rule or a declared constant."""
    wanted = set(schemas)
    checked = [node for node in graph.nodes.values() if node.layer in wanted and node.column != ROWS]
    items = [
        {
            **shown(node),
            "problem": f"{node.name} reaches no source column, no rule and no declared constant.",
            "expected": "a column that its value comes from, or `constant: <why>` in the meta of the column",
            "remedy": f"Declare it beside its description in {graph.relations[node.relation]['file']} "
            "(docs/lineage.md, Completeness), or let it come from something.",
        }
        for node in graph.unexplained(schemas)
    ]
    reached: dict[str, int] = {}
    for node in checked:
        kinds = {leaf_kind(leaf) for leaf in graph.leaves(node.name)}
        best = next((one for one in ("source column", "rule", "record", "constant") if one in kinds), "nothing")
        reached[best] = reached.get(best, 0) + 1
    return {
        "ok": not items, "version": graph.version, "checked_count": len(checked), "reached": reached,
        "edges_count": len(graph.edges), "notes": list(graph.notes), "items": items,
    }  # fmt: skip


def leaf_kind(node: ColumnNode) -> str:
    """``source column``, ``rule``, ``record`` (of the nightly or of a decision) or ``constant``."""
    if node.layer in ("source", "rule", "record"):
        return _LAYER_WORDS[node.layer]
    return "constant"


def _described(node: ColumnNode) -> dict[str, Any]:
    return {
        **shown(node), "type": node.data_type, "steps": list(node.steps), "constants": list(node.constants),
        "constant": node.constant, "place": node.place,
    }  # fmt: skip


def _tree(graph: ColumnGraph, name: str, seen: set[str]) -> dict[str, Any]:
    node = graph.nodes[name]
    branch: dict[str, Any] = {**_described(node), "is_repeated": name in seen}
    if name in seen:
        return branch
    seen.add(name)
    into = graph.edges_into(name)
    branch["made_of"] = []
    for source, edges in _by_source(edge for edge in into if edge.is_direct).items():
        step = {
            "kinds": [edge.kind for edge in edges],
            "is_masking": any(edge.is_masking for edge in edges),
            "expressions": list(next((edge.expressions for edge in edges if edge.expressions), ())),
        }
        branch["made_of"].append({**step, "column": _tree(graph, source, seen)})
    branch["decided_by"] = _uses(graph, (edge for edge in into if not edge.is_direct))
    return branch


def _uses(graph: ColumnGraph, edges: Iterable[GraphEdge]) -> list[dict[str, Any]]:
    """The columns that only decide, those of most steps first: keys that are only passed on say least."""
    grouped = sorted(
        _by_source(edges).items(),
        key=lambda one: (one[0].endswith(f".{ROWS}"), -max(len(edge.expressions) for edge in one[1])),
    )
    return [
        {"name": source, "kinds": list(dict.fromkeys(edge.kind for edge in these)),
         "title_zh": graph.nodes[source].title_zh, "title_en": graph.nodes[source].title_en,
         "expressions": list(dict.fromkeys(edge.expressions[-1] for edge in these if edge.expressions))}
        for source, these in grouped
    ]  # fmt: skip


def _by_source(edges: Iterable[GraphEdge]) -> Mapping[str, list[GraphEdge]]:
    found: dict[str, list[GraphEdge]] = {}
    for edge in edges:
        found.setdefault(edge.source, []).append(edge)
    return found


def _all(graph: ColumnGraph, relation: str) -> list[str]:
    return [*(one.name for one in graph.columns_of.get(relation, ())), f"{relation}.{ROWS}"]
