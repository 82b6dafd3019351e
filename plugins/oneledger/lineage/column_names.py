"""What a person types, as columns of the graph."""

from __future__ import annotations

import difflib

from oneledger.lineage.column_graph import ColumnGraph, ColumnNode
from oneledger.lineage.column_uses import ROWS
from oneledger.settings import ConfigurationError


def found_columns(graph: ColumnGraph, text: str) -> list[ColumnNode]:
    """The column, or all columns of the relation, that ``text`` names.

    ``schema.table.column``, ``schema.table``, ``source.entity.column`` (by the canonical name or the source's own), and
    any of them without its first part when only one thing is meant. ``….*`` are the rows of a relation.

    Raises:
        ConfigurationError: nothing has this name, or several things have; names the nearest.
    """
    wanted = text.strip().strip('"')
    exact = _exact(graph, wanted) or _exact(graph, wanted.lower())
    if exact:
        return exact
    suffix = f".{wanted.lower()}"
    relations = [name for name in graph.relations if name.lower().endswith(suffix) and not name.startswith("raw.")]
    if len(relations) == 1:
        return list(graph.columns_of.get(relations[0], ()))
    columns = [one for name, one in graph.nodes.items() if name.lower().endswith(suffix) and one.layer != "raw"]
    if len(columns) == 1:
        return columns
    several = relations or [one.name for one in columns]
    if several and "." in wanted:
        raise ConfigurationError(f"{text!r} may be any of {', '.join(sorted(several)[:12])}. Write the name in full.")
    raise ConfigurationError(
        f"No column, table or source entity of version {graph.version} is called {text!r}. "
        f"{_nearest(graph, wanted)} `oneledger lineage page --out lineage.html` shows them all."
    )


def _exact(graph: ColumnGraph, name: str) -> list[ColumnNode]:
    if name in graph.nodes:
        return [graph.nodes[name]]
    if name in graph.relations:
        return list(graph.columns_of.get(name, ()))
    # A column of a source by its canonical name: the text of it as received.
    relation, _, column = name.rpartition(".")
    raw = f"raw.{relation.replace('.', '__')}.{column}"
    return [graph.nodes[raw]] if raw in graph.nodes else []


def _nearest(graph: ColumnGraph, wanted: str) -> str:
    names = [*graph.relations, *(name for name, node in graph.nodes.items() if node.column != ROWS)]
    names += [f"{node.relation.removeprefix('raw.').replace('__', '.')}.{node.column}"
              for node in graph.nodes.values() if node.layer == "raw" and node.column != ROWS]  # fmt: skip
    near = difflib.get_close_matches(wanted, names, n=5, cutoff=0.6)
    if not near:
        by_last = {name.rpartition(".")[2]: name for name in names}
        near = [by_last[one] for one in difflib.get_close_matches(wanted.rpartition(".")[2], by_last, n=5, cutoff=0.6)]
    return f"Near: {', '.join(near)}." if near else "Nothing has a name like it."
