"""The part of the column graph that one row is made of: a figure's, an indicator's, a portal's.

``marts.published_figure`` is a union of half a hundred figures, and together they come from everything. With
``figure_id=apps_five_star`` only the branch of this figure is followed; what a branch's own conditions say
(``metric_id = 'visitors_in_period'``) narrows what it reads in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from oneledger.lineage.column_graph import DECIDES, ROWS_ONLY, ColumnGraph, GraphEdge
from oneledger.lineage.column_uses import EVERYWHERE, ROWS, Where
from oneledger.lineage.columns import WHEN_COMPILED, QueryColumns, column_edges, schema_of
from oneledger.lineage.ground import VersionModels
from oneledger.settings import ConfigurationError


class Narrowing:
    """Remembers the narrowed lineage of each model, so that one after another figure costs only its own part."""

    def __init__(self, graph: ColumnGraph, models: VersionModels) -> None:
        self._graph = graph
        self._models = models
        self._schema = schema_of(models)
        self._known: dict[tuple[str, Where], QueryColumns] = {}

    def narrowed(self, name: str, where: Mapping[str, str], *, closeness: str = DECIDES) -> ColumnGraph:
        """The graph with only those edges on which a column depends in the rows in which ``where`` holds.

        Args:
            name: the column, ``schema.table.column``.
            where: other columns of the same table, each with the value that they have.

        Raises:
            ConfigurationError: the table has no such column, or no row of it can have these values.
        """
        node = self._graph.nodes[name]
        wanted = self._where(node.relation, where)
        if not self._edges(node.relation, wanted).columns:
            shown = ", ".join(f"{column}={value}" for column, value in where.items())
            raise ConfigurationError(
                f"No part of {node.relation} makes a row with {shown}. {self._values(node.relation, where)}"
            )
        edges: dict[GraphEdge, None] = {}
        seen = {(node.relation, node.column, wanted)}
        queue = list(seen)
        while queue:
            relation, column, known = queue.pop()
            for edge, origin, narrower in self._steps(relation, column, known, closeness):
                edges.setdefault(edge)
                following = (*origin, narrower)
                if following not in seen:
                    seen.add(following)
                    queue.append(following)
        return replace(self._graph, edges=tuple(edges))

    def _steps(
        self, relation: str, column: str, known: Where, closeness: str
    ) -> list[tuple[GraphEdge, tuple[str, str], Where]]:
        here = f"{relation}.{column}"
        one = self._models.relations.get(relation)
        if one is None or one.sql is None:
            return [(edge, self._end(edge), EVERYWHERE) for edge in self._graph.edges_into(here)]
        targets = {column, ROWS} if closeness == ROWS_ONLY else {column}
        steps = []
        for edge in self._edges(relation, known).edges:
            if edge.target not in targets:
                continue
            shown = GraphEdge(
                f"{edge.relation}.{edge.column}", f"{relation}.{edge.target}", edge.kind, edge.expressions,
                edge.is_masking,
            )  # fmt: skip
            steps.append((shown, (edge.relation, edge.column), edge.where))
        steps += [
            (compiled, self._end(compiled), EVERYWHERE)
            for compiled in self._graph.edges_into(here)
            if compiled.expressions == WHEN_COMPILED
        ]
        return steps

    def _end(self, edge: GraphEdge) -> tuple[str, str]:
        node = self._graph.nodes[edge.source]
        return node.relation, node.column

    def _edges(self, relation: str, known: Where) -> QueryColumns:
        key = (relation, known)
        if key not in self._known:
            one = self._models.relations[relation]
            self._known[key] = column_edges(str(one.sql), self._schema, known, follow=True)
        return self._known[key]

    def _where(self, relation: str, where: Mapping[str, str]) -> Where:
        columns = {one.column: one for one in self._graph.columns_of[relation]}
        found = set()
        for name, value in where.items():
            if name not in columns:
                raise ConfigurationError(f"{relation} has no column {name!r}; it has {', '.join(columns)}.")
            is_text = columns[name].data_type.upper().startswith("VARCHAR")
            quoted = value.replace("'", "''")
            found.add((name, f"'{quoted}'" if is_text else value))
        return frozenset(found)

    def _values(self, relation: str, where: Mapping[str, str]) -> str:
        said = []
        for name in where:
            values = self._graph.nodes[f"{relation}.{name}"].constants
            if values:
                shown = ", ".join(one.strip("'") for one in values[:60])
                said.append(f"{name} is one of: {shown}.")
        return " ".join(said) or "Ask without --where."
