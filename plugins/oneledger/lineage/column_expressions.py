"""What an expression of DuckDB's SQL depends on: walks it and asks ``names`` what each column in it is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

import duckdb
from sqlglot import exp

from oneledger.lineage.column_uses import (
    AGGREGATION,
    CONDITIONAL,
    FILTER,
    INDIRECT,
    SORT,
    TRANSFORMATION,
    WINDOW,
    Uses,
    as_rows,
    merged,
    then,
)

DIALECT = "duckdb"
_HASHES = (exp.MD5, exp.SHA, exp.SHA2)
_HASH_NAMES = frozenset({"hash", "md5_number", "sha1", "sha256"})


class Names(Protocol):
    """What the names in an expression mean where it stands."""

    def column(self, column: exp.Column) -> Uses:
        """What a column, or an alias of the same select, depends on."""
        ...

    def rows(self) -> Uses:
        """On what it depends which rows are worked on, before they are grouped."""
        ...

    def subquery(self, query: exp.Expr) -> tuple[Uses, Uses]:
        """What the columns of a query inside the expression depend on, and its rows."""
        ...

    def window(self, name: str) -> exp.Expr:
        """A window that the select names."""
        ...


def uses_of(node: exp.Expr, names: Names, kind: str, text: str | None = None) -> Uses:
    """Everything that ``node`` depends on when it is used as ``kind``.

    Args:
        text: the SQL of the step, by default that of the node itself.
    """
    return merged(_walk(node, names, kind, text if text is not None else sql_of(node), False))


def sql_of(node: exp.Expr) -> str:
    """The expression as DuckDB reads it, in one line, without comments."""
    return node.sql(dialect=DIALECT, comments=False)


def unwrapped(node: exp.Expr) -> exp.Expr:
    """Without its alias, parentheses and casts."""
    while isinstance(node, exp.Alias | exp.Paren | exp.Cast):
        node = node.this
    return node


def literal_of(node: exp.Expr) -> str | None:
    """The SQL of a text, number or truth value; None for anything else."""
    inner = unwrapped(node)
    return sql_of(inner) if isinstance(inner, exp.Literal | exp.Boolean) else None


def is_aggregate(node: exp.Expr) -> bool:
    """Whether this is a call of an aggregate function, as DuckDB lists them."""
    if isinstance(node, exp.AggFunc):
        return True
    return isinstance(node, exp.Func) and function_name(node) in _aggregates()


def has_aggregate(node: exp.Expr) -> bool:
    """Whether rows are drawn together in it, queries inside and windows left out."""
    if isinstance(node, exp.Query | exp.Subquery):
        return False
    if isinstance(node, exp.Window):
        return any(has_aggregate(child) for child in node.iter_expressions() if child is not node.this) or any(
            has_aggregate(child) for child in node.this.iter_expressions()
        )
    return is_aggregate(node) or any(has_aggregate(child) for child in node.iter_expressions())


def function_name(node: exp.Func) -> str:
    """The name of the function that is called, in small letters."""
    return str(node.this if isinstance(node, exp.Anonymous) else node.sql_name()).lower()


@lru_cache(maxsize=1)
def _aggregates() -> frozenset[str]:
    found = duckdb.sql("select distinct function_name from duckdb_functions() where function_type = 'aggregate'")
    return frozenset(row[0] for row in found.fetchall())


def _walk(node: exp.Expr, names: Names, kind: str, text: str, masked: bool) -> Iterator[Uses]:
    """``kind`` is how the node is used; what stands deeper may be used in another way."""

    def inside(child: exp.Expr, how: str) -> Iterator[Uses]:
        # A condition stays one, whatever is computed in it.
        yield from _walk(child, names, kind if kind in INDIRECT else how, text, masked)

    if isinstance(node, exp.Column):
        yield then(names.column(node), kind, text, is_masking=masked)
    elif isinstance(node, exp.Subquery | exp.Select | exp.SetOperation):
        columns, rows = names.subquery(node)
        yield then(columns, kind, text, is_masking=masked)
        yield as_rows(rows, kind if kind in INDIRECT else FILTER, text)
    elif isinstance(node, exp.Exists):
        _, rows = names.subquery(node.this)
        yield as_rows(rows, kind if kind in INDIRECT else CONDITIONAL, text)
    elif isinstance(node, exp.Case):
        for condition in [one for one in (node.this, *(branch.this for branch in node.args["ifs"])) if one]:
            yield from inside(condition, CONDITIONAL)
        for value in [*(branch.args["true"] for branch in node.args["ifs"]), node.args.get("default")]:
            if value is not None:
                yield from inside(value, TRANSFORMATION)
    elif isinstance(node, exp.If):
        yield from inside(node.this, CONDITIONAL)
        for value in (node.args.get("true"), node.args.get("false")):
            if value is not None:
                yield from inside(value, TRANSFORMATION)
    elif isinstance(node, exp.Filter):
        yield from inside(node.this, kind)
        yield from inside(node.expression.this, FILTER)
    elif isinstance(node, exp.Window):
        yield from _window(node, names, kind, text, masked)
    elif isinstance(node, exp.WithinGroup):
        for ordered in node.expression.expressions:
            yield from inside(ordered, AGGREGATION)
        yield from inside(node.this, kind)
    elif isinstance(node, exp.Order):
        if node.this is not None:
            yield from inside(node.this, kind)
        for ordered in node.expressions:
            yield from inside(ordered, SORT)
    elif is_aggregate(node):
        yield from _aggregate(node, names, kind, text, masked)
    elif isinstance(node, exp.DataType | exp.Identifier | exp.Literal):
        return
    else:
        is_hash = isinstance(node, _HASHES) or (isinstance(node, exp.Anonymous) and function_name(node) in _HASH_NAMES)
        deeper = kind if kind != "identity" else TRANSFORMATION
        for child in node.iter_expressions():
            yield from _walk(child, names, deeper, text, masked or is_hash)


def _aggregate(node: exp.Expr, names: Names, kind: str, text: str, masked: bool) -> Iterator[Uses]:
    how = kind if kind in INDIRECT else AGGREGATION
    rows = names.rows()
    counts = isinstance(node, exp.Count)
    if counts and (node.this is None or isinstance(node.this, exp.Star)):
        yield then(rows, how, text, is_masking=True)
        return
    # Which rows are drawn together decides the result as much as what stands in them.
    yield as_rows(rows, kind if kind in INDIRECT else FILTER, text)
    for child in node.iter_expressions():
        yield from _walk(child, names, how, text, masked or counts)


def _window(node: exp.Window, names: Names, kind: str, text: str, masked: bool) -> Iterator[Uses]:
    windows: list[exp.Expr] = [node]
    named = node.args.get("alias")
    if named is not None and not node.args.get("partition_by") and not node.args.get("order"):
        windows.append(names.window(named.name))
    how = kind if kind in INDIRECT else WINDOW
    for window in windows:
        for part in [*(window.args.get("partition_by") or ()), window.args.get("order")]:
            if part is not None:
                yield from _walk(part, names, how, text, masked)
    inner: exp.Expr = node.this
    while isinstance(inner, exp.IgnoreNulls | exp.RespectNulls):
        inner = inner.this
    if isinstance(inner, exp.Filter):
        yield from _walk(inner.expression.this, names, kind if kind in INDIRECT else FILTER, text, masked)
        inner = inner.this
    counts = isinstance(inner, exp.Count)
    if counts and (inner.this is None or isinstance(inner.this, exp.Star)):
        yield then(names.rows(), kind if kind in INDIRECT else AGGREGATION, text, is_masking=True)
        return
    stays = isinstance(inner, exp.Lag | exp.Lead | exp.FirstValue | exp.LastValue | exp.NthValue)
    value = kind if kind in INDIRECT else TRANSFORMATION if stays else AGGREGATION
    for child in inner.iter_expressions():
        yield from _walk(child, names, value, text, masked or counts)
