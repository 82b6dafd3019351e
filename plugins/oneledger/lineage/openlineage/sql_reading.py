"""Which column of which table a column of a model comes from, read from the model's compiled SQL.

The words are those of OpenLineage's column lineage facet. *Direct* is where a value comes from: as it is
(``IDENTITY``), computed (``TRANSFORMATION``) or aggregated (``AGGREGATION``). *Indirect* is what decides about it
without being in it: the condition of a case or an aggregate's filter (``CONDITIONAL``), the partition and order of a
window (``WINDOW``); and, for every column of the model, what decides which rows there are (``JOIN``, ``FILTER``,
``GROUP_BY``, ``SORT``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from oneledger.lineage.openlineage.column_edges import ColumnEdge

RowKind = Literal["JOIN", "FILTER", "GROUP_BY", "SORT"]
# How a value depends on a column, the weakest first: of two ways the stronger is told.
_CONDITIONAL, _WINDOW, _IDENTITY, _TRANSFORMATION, _AGGREGATION = range(5)
_KINDS = ("CONDITIONAL", "WINDOW", "IDENTITY", "TRANSFORMATION", "AGGREGATION")
_DIALECT = "duckdb"
# What a column may pass through and still be the same value under another name or type spelling.
_WRAPPERS = (exp.Alias, exp.Paren, exp.Subquery)


class ColumnLineageError(Exception):
    """The SQL of a model cannot be read; names what the parser said."""


def column_edges(sql: str, columns_of: Mapping[str, Sequence[str]]) -> list[ColumnEdge]:
    """The edges of one model.

    Args:
        sql: a compiled select.
        columns_of: the columns of each relation that it may read, by ``schema.table``.

    Raises:
        ColumnLineageError: the SQL cannot be read.
    """
    # What it cannot follow it logs once a column; those columns simply have no edge.
    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        tree = qualify(
            parse_one(sql, dialect=_DIALECT),
            schema=_schema(columns_of),
            dialect=_DIALECT,
            # A column that a nested structure makes up is unknown to the schema; the others are still followed.
            allow_partial_qualification=True,
            validate_qualify_columns=False,
            identify=False,
        )
        root = build_scope(tree)
    except SqlglotError as error:
        raise ColumnLineageError(" ".join(str(error).split())[:300]) from error
    finally:
        logger.setLevel(level)
    if root is None:
        raise ColumnLineageError("it is no select")
    return sorted(_Reading(root).edges())


def _schema(columns_of: Mapping[str, Sequence[str]]) -> dict[str, object]:
    nested: dict[str, Any] = {}
    for relation, columns in columns_of.items():
        schema, _, table = relation.partition(".")
        # The parser wants a type; where a column comes from does not depend on it.
        nested.setdefault(schema, {})[table] = dict.fromkeys(columns, "varchar")
    return nested


Leaf = tuple[str, str]
Origins = dict[Leaf, int]


class _Reading:
    """Walks the scopes of one statement; each column of each scope is followed once."""

    def __init__(self, root: Scope) -> None:
        self._root = root
        self._known: dict[tuple[int, str], Origins] = {}

    def edges(self) -> Iterator[ColumnEdge]:
        for name in _selected(self._root):
            for (relation, source_column), strength in self._origins(self._root, name).items():
                yield ColumnEdge(name, relation, source_column, strength >= _IDENTITY, _KINDS[strength])
        deciding = {
            (relation, source_column, kind)
            for scope in self._root.traverse()
            for kind, expression in _deciding(scope)
            for relation, source_column in self._of_expression(scope, expression)
        }
        for relation, source_column, kind in deciding:
            yield ColumnEdge("", relation, source_column, False, kind)

    def _origins(self, scope: Scope, name: str) -> Origins:
        key = (id(scope), name.lower())
        if key not in self._known:
            self._known[key] = {}  # a recursive table reaches itself here
            self._known[key] = self._follow(scope, name)
        return self._known[key]

    def _follow(self, scope: Scope, name: str) -> Origins:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            names = [one.lower() for one in expression.named_selects]
            if name.lower() not in names:
                return {}
            position = names.index(name.lower())
            found: Origins = {}
            for part in scope.set_operation_scopes:
                selected = _selected(part)
                if position < len(selected):
                    _add(found, self._origins(part, selected[position]))
            return found
        if isinstance(expression, exp.Query):
            for projection in expression.selects:
                if projection.alias_or_name.lower() == name.lower():
                    return self._of_expression(scope, projection)
            return {}
        # unnest, lateral, values: whatever its expression reads, computed.
        return self._of_expression(scope, expression, _TRANSFORMATION)

    def _of_expression(self, scope: Scope, expression: exp.Expr, least: int = _IDENTITY) -> Origins:
        found: Origins = {}
        inner = {id(one.expression): one for one in (*scope.subquery_scopes, *scope.udtf_scopes)}
        for node, kind in _columns_and_queries(expression, least):
            if not isinstance(node, exp.Query):
                _add(found, self._of_column(scope, node), kind)
            elif (nested := inner.get(id(node))) is not None:
                for name in node.named_selects:
                    _add(found, self._origins(nested, name), max(kind, _TRANSFORMATION) if kind >= _IDENTITY else kind)
        return found

    def _of_column(self, scope: Scope, column: exp.Column) -> Origins:
        here: Scope | None = scope
        while here is not None:
            source = here.sources.get(column.table)
            if isinstance(source, exp.Table):
                return {(f"{source.db}.{source.name}", column.name): _IDENTITY}
            if isinstance(source, Scope):
                return self._origins(source, column.name)
            here = here.parent
        return {}


def _selected(scope: Scope) -> list[str]:
    """The names of the columns that a select, or the first of several selects, gives."""
    query = scope.expression
    return list(query.named_selects) if isinstance(query, exp.Query) else []


def _add(found: Origins, more: Origins, outer: int = _IDENTITY) -> None:
    for leaf, inner in more.items():
        through = outer if outer < _IDENTITY else inner if inner < _IDENTITY else max(outer, inner)
        found[leaf] = max(found.get(leaf, _CONDITIONAL), through)


def _columns_and_queries(expression: exp.Expr, least: int) -> Iterator[tuple[Any, int]]:
    """Columns and nested selects of an expression, each with how the value depends on it."""
    waiting: list[tuple[exp.Expr, int]] = [(expression, least)]
    while waiting:
        node, kind = waiting.pop()
        if isinstance(node, exp.Column) or (
            isinstance(node, exp.Query) and not isinstance(node, exp.Subquery) and node is not expression
        ):
            yield node, kind
            continue
        if kind >= _IDENTITY:
            if isinstance(node, exp.AggFunc):
                kind = _AGGREGATION
            elif not isinstance(node, _WRAPPERS):
                kind = max(kind, _TRANSFORMATION)
        for role, child in _children(node):
            waiting.append((child, min(kind, role) if role < _IDENTITY else kind))


def _children(node: exp.Expr) -> Iterator[tuple[int, exp.Expr]]:
    """The parts of an expression; ``CONDITIONAL`` or ``WINDOW`` where a part only decides."""
    for name, value in node.args.items():
        role = _IDENTITY
        if (isinstance(node, exp.If | exp.Case) and name == "this") or (
            isinstance(node, exp.Filter) and name == "expression"
        ):
            role = _CONDITIONAL
        elif isinstance(node, exp.Window) and name != "this":
            role = _WINDOW
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, exp.Expr):
                yield role, child


def _deciding(scope: Scope) -> Iterator[tuple[RowKind, exp.Expr]]:
    """The parts of a select that decide which rows there are, and in which order."""
    select = scope.expression
    if not isinstance(select, exp.Select):
        return
    for join in select.args.get("joins") or []:
        if join.args.get("on") is not None:
            yield "JOIN", join.args["on"]
    for name in ("where", "having", "qualify"):
        if select.args.get(name) is not None:
            yield "FILTER", select.args[name].this
    if select.args.get("group") is not None:
        yield "GROUP_BY", select.args["group"]
    if select.args.get("order") is not None:
        yield "SORT", select.args["order"]
