"""Columns back to columns: of one model's SQL (``column_edges``) and of all models of a version (``column_graph``).

``column_edges`` needs nothing but SQL and the names of the columns that it reads; who writes lineage events uses it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from oneledger.lineage.column_expressions import DIALECT
from oneledger.lineage.column_queries import Defined, output_of
from oneledger.lineage.column_uses import DIRECT, EVERYWHERE, ROWS, LineageError, Uses, Where

Schema = Mapping[str, Iterable[str]]


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
        where: what is known of the rows of ``relation`` that count; only when asked ``where``.
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


def column_edges(sql: str, schema: Schema, where: Where = EVERYWHERE) -> QueryColumns:
    """What every column of a query depends on.

    Args:
        sql: one query of DuckDB's dialect.
        schema: by ``schema.table``, the columns of what it reads; a relation that is not in it has what is asked of it.
        where: columns of the query with the SQL literal that they hold in the rows that are asked about:
            ``{("figure_id", "'apps_evaluated'")}``; branches of unions that hold another one do not count.

    Raises:
        LineageError: the SQL cannot be read, or holds a name that nothing explains.
    """
    known = {name.lower(): tuple(one.lower() for one in columns) for name, columns in schema.items()}
    output = output_of(_parsed(sql), Defined(known.get, {}), where)
    if output is None:
        return QueryColumns((), (), {}, {})
    edges = [edge for name, uses in output.columns.items() for edge in _edges(name, uses, where)]
    edges += _edges(ROWS, output.rows, where)
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


def _edges(target: str, uses: Uses, where: Where) -> list[ColumnEdge]:
    found: dict[tuple[str, str, str, Where], ColumnEdge] = {}
    for origin, kinds in uses.items():
        known = origin.where if where else EVERYWHERE
        for kind, use in kinds.items():
            key = (origin.relation, origin.column, kind, known)
            found.setdefault(
                key,
                ColumnEdge(origin.relation, origin.column, target, kind, use.expressions, use.is_masking, known),
            )
    return list(found.values())
