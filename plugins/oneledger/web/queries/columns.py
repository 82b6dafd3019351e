"""One column: the way back to the sources and what uses it, as rows to read."""

from __future__ import annotations

from dataclasses import dataclass

from oneledger.lineage.column_graph import DECIDES, VALUE, ColumnGraph, ColumnNode
from oneledger.lineage.column_impact import shown
from oneledger.lineage.column_uses import ROWS

KIND_TITLES = {
    "identity": ("原样传递", "passed on"), "transformation": ("换算", "computed"), "aggregation": ("汇总", "added up"),
    "conditional": ("条件", "conditional"), "filter": ("筛选", "filter"), "join": ("关联", "join"),
    "group_by": ("分组", "group by"), "window": ("开窗", "window"), "sort": ("排序", "sort"),
}  # fmt: skip
CLOSENESS_TITLES = {
    "value": ("取值于此", "made of it"), "decides": ("由它决定", "decided by it"),
    "rows": ("只决定有无此行", "only whether the row is there"),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One column on the way back.

    Attributes:
        depth: how many steps from the column that is asked about.
        steps: the SQL that computes it.
        kinds: how it is used by the column after it.
        is_end: a source column, rule, record or constant.
    """

    node: ColumnNode
    depth: int
    steps: tuple[str, ...]
    kinds: tuple[str, ...]
    is_masking: bool
    is_end: bool


def way_back_steps(graph: ColumnGraph, name: str, *, closeness: str = VALUE) -> list[Step]:
    """The column itself and every column it is made of, the nearest first."""
    allowed = graph.upstream([name], closeness=closeness)
    depth = {name: 0}
    kinds: dict[str, dict[str, None]] = {name: {}}
    masking: set[str] = set()
    waiting = [name]
    for one in waiting:
        for edge in graph.edges_into(one):
            if edge.source not in allowed or not (edge.is_direct or closeness == DECIDES):
                continue
            kinds.setdefault(edge.source, {})[edge.kind] = None
            if edge.is_masking:
                masking.add(edge.source)
            if edge.source not in depth:
                depth[edge.source] = depth[one] + (graph.nodes[edge.source].layer != "raw")
                waiting.append(edge.source)
    nodes = [(graph.nodes[one], depth[one]) for one in waiting]
    return [
        Step(
            node, at, node.steps, tuple(kinds[node.name]), node.name in masking,
            bool(node.is_leaf_layer or node.constant),
        )
        for node, at in nodes
        if node.layer != "raw"
    ]  # fmt: skip


def uses(graph: ColumnGraph, name: str, *, closeness: str) -> list[dict[str, object]]:
    """What uses a column, the closest first, in the order of the flow; rows of tables are left out."""
    place = {one: position for position, one in enumerate(graph.relations)}
    rank = {"value": 0, "decides": 1, "rows": 2}
    found = [
        {**shown(graph.nodes[one]), "closeness": how}
        for one, how in graph.downstream([name], closeness=closeness).items()
        if one != name and graph.nodes[one].column != ROWS and graph.nodes[one].layer != "raw"
    ]
    return sorted(found, key=lambda one: (rank[str(one["closeness"])], place.get(str(one["relation"]), 0)))
