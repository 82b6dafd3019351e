"""What stands in ``from``: tables, queries, unnested lists, series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from oneledger.lineage.column_expressions import sql_of, uses_of
from oneledger.lineage.column_uses import (
    FILTER,
    IDENTITY,
    ROWS,
    TRANSFORMATION,
    LineageError,
    Origin,
    Use,
    Uses,
    Where,
    as_rows,
    merged,
    then,
)

if TYPE_CHECKING:
    from oneledger.lineage.column_expressions import Names


@dataclass
class Source:
    """One thing that a select reads.

    Attributes:
        columns: what each column depends on; filled as asked for when ``table`` is given.
        rows: what decides which rows it has.
        names: its columns in order; None when they are not known, then it has whatever is asked for.
        table: the relation and its known values, when it is no query.
        is_empty: no row of it counts; its columns are null.
    """

    alias: str
    columns: dict[str, Uses]
    rows: Uses
    names: tuple[str, ...] | None
    steps: dict[str, tuple[str, ...]] = field(default_factory=dict)
    constants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    table: tuple[str, Where] | None = None
    is_empty: bool = False

    def has(self, name: str) -> bool:
        return self.names is not None and name in self.names

    def column(self, name: str) -> Uses:
        if self.is_empty:
            return {}
        if self.table is not None and (self.names is None or name in self.names):
            return {Origin(self.table[0], name, self.table[1]): {IDENTITY: Use()}}
        if name not in self.columns:
            raise LineageError(f"{self.alias} has no column {name}; it has {', '.join(self.names or ())}")
        return self.columns[name]


def table_source(alias: str, relation: str, names: tuple[str, ...] | None, where: Where) -> Source:
    """A relation; ``names`` None when its columns are not known."""
    rows: Uses = {Origin(relation, ROWS, where): {IDENTITY: Use()}}
    return Source(alias, {}, rows, names, table=(relation, where))


def empty_source(alias: str) -> Source:
    """The joined side of an outer join that meets nothing."""
    return Source(alias, {}, {}, None, is_empty=True)


def function_source(alias: str, node: exp.Expr, names: Names) -> Source:
    """An unnested list, a series of values, or constants: every column of it depends on all that it is made from."""
    given = node.args.get("alias")
    titles = tuple(one.name.lower() for one in given.args.get("columns") or ()) if given is not None else ()
    parts = list(node.expressions) if isinstance(node, exp.Unnest | exp.Values) else [node.this]
    uses = merged(uses_of(one, names, TRANSFORMATION, sql_of(node)) for one in parts)
    if not titles:
        titles = (alias, "unnest", "generate_series", "range", "col0", "col1", "col2", "col3", "value")
    text = sql_of(node)
    said: dict[str, tuple[str, ...]] = dict.fromkeys(titles, (text,))
    columns, rows = dict.fromkeys(titles, uses), as_rows(uses, FILTER, text)
    return Source(alias, columns, rows, titles, said if uses else {}, {} if uses else said)


def unpivoted(
    node: exp.Pivot, columns: dict[str, Uses], rows: Uses, steps: dict[str, tuple[str, ...]]
) -> tuple[dict[str, Uses], Uses, dict[str, tuple[str, ...]]]:
    """What ``unpivot … on … into name … value …`` gives: columns, rows and steps."""
    turned = [one.name.lower() for one in node.expressions]
    into = node.args["into"]
    name, values = into.this.name.lower(), [one.name.lower() for one in into.expressions]
    missing = [one for one in turned if one not in columns]
    if missing or len(values) != 1:
        raise LineageError(f"this unpivot cannot be followed: {sql_of(node)[-200:]}")
    text = f"unpivot on {', '.join(turned)}"
    given = {one: uses for one, uses in columns.items() if one not in turned}
    together = merged(columns[one] for one in turned)
    given[name] = {}
    given[values[0]] = then(together, TRANSFORMATION, text)
    # A null makes no row.
    kept = merged([rows, as_rows(together, FILTER, text)])
    known = {one: steps.get(one, ()) for one in columns if one not in turned}
    return given, kept, {**known, name: (text,), values[0]: (text,)}


def struct_fields(node: exp.Expr) -> dict[str, list[exp.Expr]]:
    """``unnest([{'a': 1, …}, …], recursive := true)``: the columns that it makes, with their values."""
    if not isinstance(node, exp.Explode | exp.Unnest) or "recursive" not in sql_of(node).lower():
        return {}
    listed = node.find(exp.Array)
    fields: dict[str, list[exp.Expr]] = {}
    for one in listed.expressions if listed is not None else ():
        if not isinstance(one, exp.Struct):
            return {}
        for pair in one.expressions:
            fields.setdefault(pair.this.name.lower(), []).append(pair.expression)
    return fields
