"""Columns back to columns: of one model's SQL (``column_edges``) and of all models of a version (``column_graph``).

``column_edges`` needs nothing but SQL and the names of the columns that it reads; lineage events can use it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from oneledger.catalogue import Catalogue
from oneledger.lineage.column_expressions import DIALECT
from oneledger.lineage.column_graph import ColumnGraph, ColumnNode, GraphEdge
from oneledger.lineage.column_leaves import ROW_IDENTITY, admitted_constants, source_lineage, titles_of_input
from oneledger.lineage.column_queries import Defined, output_of
from oneledger.lineage.column_uses import AGGREGATION, DIRECT, EVERYWHERE, IDENTITY, ROWS, LineageError, Uses, Where
from oneledger.lineage.ground import Relation, VersionModels

Schema = Mapping[str, Iterable[str]]
# The step of an edge that no SQL shows: dbt asked the data, and wrote the answer into the SQL.
WHEN_COMPILED = ("when the model is compiled",)


@dataclass(frozen=True)
class ColumnEdge:
    """One column of a query depends on one column that it reads.

    Attributes:
        relation: what is read, ``schema.table``.
        column: of it; ``*`` stands for which rows it has.
        target: the column of the query; ``*`` stands for which rows the query gives.
        kind: one of ``oneledger.lineage.column_uses.KINDS``.
        expressions: the SQL of the steps, the last one first; empty when the value is only passed on.
        is_masking: the value was counted or hashed.
        where: what is known of the rows of ``relation`` that count; only when asked to ``follow``.
    """

    relation: str
    column: str
    target: str
    kind: str
    expressions: tuple[str, ...] = ()
    is_masking: bool = False
    where: Where = EVERYWHERE

    @property
    def is_direct(self) -> bool:
        """The value comes from it; otherwise it only decides about the value or the row."""
        return self.kind in DIRECT


@dataclass(frozen=True)
class QueryColumns:
    """The column lineage of one query.

    Attributes:
        columns: its columns in order.
        edges: what they, and its rows (``*``), depend on.
        steps: by column, the SQL that computes it, the first that is no mere name; several in a union.
        constants: by column, SQL literals of the query that the column holds.
    """

    columns: tuple[str, ...]
    edges: tuple[ColumnEdge, ...]
    steps: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, tuple[str, ...]]


def column_edges(sql: str, schema: Schema, where: Where = EVERYWHERE, *, follow: bool = False) -> QueryColumns:
    """What every column of a query depends on.

    Args:
        sql: one query of DuckDB's dialect.
        schema: by ``schema.table``, the columns of what it reads; a relation that is not in it has what is asked of it.
        where: columns of the query with the SQL literal that they hold in the rows that are asked about:
            ``{("figure_id", "'apps_evaluated'")}``; branches of unions that hold another one do not count.
        follow: edges say what is known of the rows that they read (``ColumnEdge.where``); otherwise they are the same
            for all rows.

    Raises:
        LineageError: the SQL cannot be read, or holds a name that nothing explains.
    """
    known = {name.lower(): tuple(one.lower() for one in columns) for name, columns in schema.items()}
    output = output_of(_parsed(sql), Defined(known.get, {}), where)
    if output is None:
        return QueryColumns((), (), {}, {})
    edges = [edge for name, uses in output.columns.items() for edge in _edges(name, uses, follow)]
    edges += _edges(ROWS, output.rows, follow)
    return QueryColumns(
        tuple(output.columns),
        tuple(dict.fromkeys(edges)),
        {name: steps for name, steps in output.steps.items() if steps},
        {name: values for name, values in output.constants.items() if values},
    )


@lru_cache(maxsize=256)
def _parsed(sql: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(sql, dialect=DIALECT)
    except SqlglotError as error:
        raise LineageError(f"this SQL cannot be read: {str(error)[:300]}") from error


def _edges(target: str, uses: Uses, follow: bool) -> list[ColumnEdge]:
    found: dict[tuple[str, str, str, Where], ColumnEdge] = {}
    for origin, kinds in uses.items():
        known = origin.where if follow else EVERYWHERE
        for kind, use in kinds.items():
            key = (origin.relation, origin.column, kind, known)
            found.setdefault(
                key,
                ColumnEdge(origin.relation, origin.column, target, kind, use.expressions, use.is_masking, known),
            )
    return list(found.values())


def column_graph(
    models: VersionModels, catalogue: Catalogue, columns: Mapping[str, QueryColumns] | None = None
) -> ColumnGraph:
    """The graph of a version: sources, admitted tables, rules, models, marts and evaluation.

    Args:
        catalogue: leads from admitted columns on to the columns of the sources.
        columns: ``columns_of_models`` of this version, when it is known already.
    """
    columns = columns_of_models(models) if columns is None else columns
    nodes, edges, relations, notes = source_lineage(catalogue, models)
    found = {node.name: node for node in nodes}
    for one in models.in_order:
        relations[one.name] = _described(one) | titles_of_input(catalogue, one.name)
        filled = admitted_constants(catalogue, models, one.name) if one.schema == "admitted" else {}
        for node in _nodes(one, columns.get(one.name), filled):
            found[node.name] = node
    for name, query in columns.items():
        for edge in query.edges:
            origin = f"{edge.relation}.{edge.column}"
            if origin not in found:
                # What the nightly writes down about itself is published elsewhere and not a second time.
                found[origin] = ColumnNode(edge.relation, edge.column, _layer(edge.relation, "input"))
                relations.setdefault(edge.relation, _unknown(edge.relation))
            edges.append(GraphEdge(origin, f"{name}.{edge.target}", edge.kind, edge.expressions, edge.is_masking))
    for one in models.in_order:
        edges += _compiled(one, found)
    _pass_titles_back(found, edges)
    return ColumnGraph(models.version.version, found, tuple(edges), relations, tuple(notes))


def _pass_titles_back(nodes: dict[str, ColumnNode], edges: Iterable[GraphEdge]) -> None:
    """What the catalogue does not describe is described where its value is read as it is: in staging."""
    readers = {
        edge.source: edge.target
        for edge in reversed(tuple(edges))
        if edge.kind == IDENTITY or edge.source.startswith("raw.")
    }
    for layer in ("admitted", "raw", "source"):
        for name, node in nodes.items():
            reader = nodes.get(readers.get(name, ""))
            if node.layer != layer or node.column == ROWS or reader is None:
                continue
            if node.title_zh and node.description:
                continue
            nodes[name] = replace(
                node,
                title_zh=node.title_zh or reader.title_zh,
                title_en=node.title_en or reader.title_en,
                description=node.description or reader.description,
            )


def columns_of_models(models: VersionModels) -> dict[str, QueryColumns]:
    """``column_edges`` of every model of a version.

    Raises:
        LineageError: of one of them it cannot be said; names the model.
    """
    schema = schema_of(models)
    found = {}
    for one in models.in_order:
        if one.sql is None:
            continue
        try:
            found[one.name] = column_edges(one.sql, schema)
        except LineageError as error:
            raise LineageError(f"{one.name} ({one.file}): {error}") from error
    return found


def schema_of(models: VersionModels) -> dict[str, tuple[str, ...]]:
    """The columns of every relation of a version, as ``column_edges`` takes them."""
    return {name: tuple(one.columns) for name, one in models.relations.items()}


def _nodes(
    one: Relation, query: QueryColumns | None, filled: Mapping[str, tuple[tuple[str, ...], str]]
) -> Iterator[ColumnNode]:
    layer = _layer(one.name, one.kind)
    whole = str(one.meta.get("constant") or "")
    for name, column in one.columns.items():
        key, meta = name.lower(), column.get("meta") or {}
        steps = query.steps.get(key, ()) if query else ()
        constants = query.constants.get(key, ()) if query else ()
        title_zh, title_en = str(meta.get("title_zh") or ""), str(meta.get("title_en") or "")
        description, constant = str(column.get("description") or ""), str(meta.get("constant") or whole)
        if layer == "admitted":
            if name in ROW_IDENTITY:
                title_zh, title_en, description = ROW_IDENTITY[name]
                constant = "Written by admission, so that the row can be followed back."
            elif name in filled:
                constants, constant = filled[name]
        yield ColumnNode(
            one.name, key, layer, str(column["type"]), title_zh, title_en, description, steps, constants, constant
        )
    yield ColumnNode(one.name, ROWS, layer, description="Which rows there are.")


def _compiled(one: Relation, nodes: Mapping[str, ColumnNode]) -> Iterator[GraphEdge]:
    """Literals that dbt worked out from data when it compiled the model, as its columns declare (``compiled_from``)."""
    for name, column in one.columns.items():
        for origin in (column.get("meta") or {}).get("compiled_from") or ():
            if origin not in nodes:
                raise LineageError(f"{one.name}.{name} says compiled_from {origin}, and there is no such column")
            yield GraphEdge(origin, f"{one.name}.{name.lower()}", AGGREGATION, WHEN_COMPILED)


def _layer(relation: str, kind: str) -> str:
    schema = relation.partition(".")[0]
    if kind == "seed":
        return "rule"
    if kind == "input":
        return "admitted" if schema == "admitted" else "record"
    return schema


def _described(one: Relation) -> dict[str, Any]:
    return {
        "layer": _layer(one.name, one.kind),
        "title_zh": str(one.meta.get("title_zh") or ""),
        "title_en": str(one.meta.get("title_en") or ""),
        "description": one.description,
        "file": one.file,
        "sql": one.sql,
        "materialized": one.materialized,
    }


def _unknown(relation: str) -> dict[str, Any]:
    return {
        "layer": _layer(relation, "input"), "title_zh": "每晚运行结果", "title_en": "Outcomes of the nightly",
        "file": None, "sql": None, "description": "What the nightly writes down about itself.", "materialized": "input",
    }  # fmt: skip
