"""The lineage of a version as one HTML file: graph, table, search; no network, no other file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from oneledger.lineage.column_graph import LAYERS, ColumnGraph
from oneledger.lineage.column_uses import KINDS

_TEMPLATE = Path(__file__).with_name("column_page.html")


def lineage_page(graph: ColumnGraph, opened: str | None = None, *, anchor: str | None = None) -> str:
    """The page.

    Args:
        opened: the column or table that it shows first; otherwise all tables.
        anchor: the anchor that seals the version, as pages print it; None for one that is not sealed.
    """
    content = {**_data(graph, opened), "anchor": anchor}
    # Markup cannot end the script that holds the data.
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return _TEMPLATE.read_text(encoding="utf-8").replace("__DATA__", data)


def _data(graph: ColumnGraph, opened: str | None) -> dict[str, Any]:
    """Every text once; nodes, edges and relations say its number."""
    strings: dict[str, int] = {}

    def number(text: str) -> int:
        return strings.setdefault(text, len(strings))

    place = {name: position for position, name in enumerate(graph.nodes)}
    nodes = [
        [
            number(one.relation), number(one.column), LAYERS.index(one.layer), number(one.data_type),
            number(one.title_zh), number(one.title_en), number(one.description), [number(step) for step in one.steps],
            [number(value) for value in one.constants[:60]], number(one.constant), number(one.place),
        ]
        for one in graph.nodes.values()
    ]  # fmt: skip
    edges = [
        [place[one.source], place[one.target], KINDS.index(one.kind), [number(step) for step in one.expressions],
         int(one.is_masking)]
        for one in graph.edges
    ]  # fmt: skip
    relations = [
        [
            number(name), LAYERS.index(one["layer"]), number(one["title_zh"]), number(one["title_en"]),
            number(one["description"]), number(one["file"] or ""), number(one["sql"] or ""),
        ]
        for name, one in graph.relations.items()
    ]  # fmt: skip
    return {
        "version": graph.version, "notes": list(graph.notes), "opened": opened, "kinds": list(KINDS),
        "layers": list(LAYERS), "strings": list(strings), "nodes": nodes, "edges": edges, "relations": relations,
    }  # fmt: skip
