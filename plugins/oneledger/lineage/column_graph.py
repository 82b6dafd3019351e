"""The graph of all columns of a version: what each comes from, back to the sources, and what each is used for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from oneledger.lineage.column_uses import DIRECT, ROWS

# From the sources to the results; a page draws them from left to right.
LAYERS = ("source", "raw", "admitted", "record", "rule", "staging", "intermediate", "marts", "evaluation")
# How much a column has to do with another one, the closest first: its value is made of it; it decides about the value
# (conditions, joins, which rows are drawn together); it only decides whether the row is there.
VALUE = "value"
DECIDES = "decides"
ROWS_ONLY = "rows"
_CLOSENESS = (VALUE, DECIDES, ROWS_ONLY)


@dataclass(frozen=True)
class ColumnNode:
    """One column of one relation, or the rows of a relation (column ``*``).

    Attributes:
        layer: one of ``LAYERS``; ``rule`` is a column of a rule or reference table of ours, ``record`` something that
            the nightly or a person's decision wrote down.
        steps: the SQL that computes it, the first that is no mere name; several in a union.
        constants: SQL literals that it holds.
        constant: why it holds nothing else, as its model declares; empty when it comes from something.
        place: of a source column, where it stands in what the source delivers.
    """

    relation: str
    column: str
    layer: str
    data_type: str = ""
    title_zh: str = ""
    title_en: str = ""
    description: str = ""
    steps: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    constant: str = ""
    place: str = ""

    @property
    def name(self) -> str:
        """``relation.column``; names the node."""
        return f"{self.relation}.{self.column}"

    @property
    def is_leaf_layer(self) -> bool:
        return self.layer in ("source", "rule", "record")


@dataclass(frozen=True)
class GraphEdge:
    """``target`` depends on ``source``, both named as ``ColumnNode.name``; the rest as in ``ColumnEdge``."""

    source: str
    target: str
    kind: str
    expressions: tuple[str, ...] = ()
    is_masking: bool = False

    @property
    def is_direct(self) -> bool:
        return self.kind in DIRECT


@dataclass
class ColumnGraph:
    """Nodes by name, edges, and what is to be said about them.

    Attributes:
        notes: sentences on what the graph could not know, for instance that the catalogue changed since.
        relations: by relation its ``{layer, title_zh, title_en, description, file, sql, materialized}``.
    """

    version: str
    nodes: dict[str, ColumnNode]
    edges: tuple[GraphEdge, ...]
    relations: dict[str, dict[str, Any]]
    notes: tuple[str, ...] = ()
    _empty: tuple[GraphEdge, ...] = field(default=(), repr=False)

    @cached_property
    def _into(self) -> dict[str, tuple[GraphEdge, ...]]:
        return _by(self.edges, "target")

    @cached_property
    def _out_of(self) -> dict[str, tuple[GraphEdge, ...]]:
        return _by(self.edges, "source")

    @cached_property
    def columns_of(self) -> dict[str, tuple[ColumnNode, ...]]:
        """The columns of each relation in order, without its rows."""
        found: dict[str, list[ColumnNode]] = defaultdict(list)
        for node in self.nodes.values():
            if node.column != ROWS:
                found[node.relation].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def edges_into(self, name: str) -> tuple[GraphEdge, ...]:
        return self._into.get(name, self._empty)

    def edges_out_of(self, name: str) -> tuple[GraphEdge, ...]:
        return self._out_of.get(name, self._empty)

    def upstream(self, names: Iterable[str], *, closeness: str = VALUE) -> dict[str, str]:
        """What these columns come from, each with how close it is: ``value``, ``decides``, ``rows``.

        Args:
            closeness: how far to go: only what the values are made of; also what decides about them; also what decides
                which rows there are.
        """
        return self._reached(names, closeness, is_up=True)

    def downstream(self, names: Iterable[str], *, closeness: str = ROWS_ONLY) -> dict[str, str]:
        """What these columns are used for, each with how close it is."""
        return self._reached(names, closeness, is_up=False)

    def leaves(self, name: str, *, closeness: str = DECIDES) -> list[ColumnNode]:
        """The source columns, rules, records and declared constants that a column comes from."""
        reached = [self.nodes[one] for one in self.upstream([name], closeness=closeness)]
        return [one for one in reached if one.is_leaf_layer or one.constant]

    def unexplained(self, schemas: Iterable[str] = ("marts", "evaluation")) -> list[ColumnNode]:
        """The columns that reach no source column, no rule and no declared constant. Complete lineage has none."""
        wanted = set(schemas)
        return [
            node
            for node in self.nodes.values()
            if node.layer in wanted and node.column != ROWS and not self.leaves(node.name)
        ]

    def _reached(self, names: Iterable[str], furthest: str, *, is_up: bool) -> dict[str, str]:
        found: dict[str, str] = dict.fromkeys(names, VALUE)
        levels = _CLOSENESS[: _CLOSENESS.index(furthest) + 1]
        for level in levels:
            # What was reached more closely goes on at this level by every kind of edge that the level allows.
            queue = list(found)
            while queue:
                one = queue.pop()
                for other in self._neighbours(one, level, is_up=is_up):
                    if other not in found:
                        found[other] = level
                        queue.append(other)
        return found

    def _neighbours(self, name: str, level: str, *, is_up: bool) -> Iterator[str]:
        for edge in self.edges_into(name) if is_up else self.edges_out_of(name):
            if edge.is_direct or level != VALUE:
                yield edge.source if is_up else edge.target
        if level == ROWS_ONLY:
            node = self.nodes[name]
            if is_up and node.column != ROWS and f"{node.relation}.{ROWS}" in self.nodes:
                yield f"{node.relation}.{ROWS}"
            if not is_up and node.column == ROWS:
                yield from (one.name for one in self.columns_of.get(node.relation, ()))


def _by(edges: Iterable[GraphEdge], end: str) -> dict[str, tuple[GraphEdge, ...]]:
    found: dict[str, list[GraphEdge]] = defaultdict(list)
    for edge in edges:
        found[getattr(edge, end)].append(edge)
    return {name: tuple(these) for name, these in found.items()}
