"""What is known of the rows that are looked for: which values their columns have."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from oneledger.lineage.literals import literal
from oneledger.publishing.content import quote

FLOATS = ("DOUBLE", "FLOAT", "REAL")
_MOST_LITERALS = 60
_DATE = re.compile(r"CAST\('(\d{4}-\d{2}-\d{2})' AS DATE\)")


@dataclass(frozen=True)
class Constraint:
    """The values that an expression may have.

    Attributes:
        sql: what stands behind IN; empty when only the bounds are known.
        values: the literals, when they are few.
        has_null: whether it may also have no value.
        bounds: the first date, and the day after the last, when it is known to lie between them: files are pruned by
            these even when the values are too many to be said.
    """

    sql: str
    values: frozenset[str] | None
    has_null: bool
    bounds: tuple[dt.date, dt.date] | None = None

    def on(self, expression: str) -> str:
        if self.values is not None and not self.values:
            return f"({expression}) is null"
        parts = [f"({expression}) in {self.sql}"] if self.sql else []
        if self.bounds is not None:
            first, after = self.bounds
            parts.append(f"({expression}) >= date '{first}' and ({expression}) < date '{after}'")
        within = " and ".join(parts)
        return f"({within} or ({expression}) is null)" if self.has_null else within

    def in_months(self) -> Constraint | None:
        """Of values that are first days of months, what is known of the days in these months."""
        dates = [_DATE.fullmatch(one) for one in self.values or ()]
        if self.has_null or not dates or not all(dates):
            return None
        firsts = sorted(dt.date.fromisoformat(one[1]) for one in dates if one is not None)
        last = firsts[-1]
        after = dt.date(last.year + last.month // 12, last.month % 12 + 1, 1)
        return Constraint("", None, False, (firsts[0], after))


Conjunction = dict[str, Constraint]


@dataclass
class Demand:
    """What the readers of a query want of it: columns, and rows as alternatives of conjunctions on columns."""

    columns: set[str] = field(default_factory=set)
    alternatives: list[Conjunction] = field(default_factory=list)

    def add(self, columns: Iterable[str], alternative: Conjunction) -> None:
        self.columns |= set(columns)
        if not any(set(one) <= set(alternative) and all(alternative[key] == one[key] for key in one)
                   for one in self.alternatives):  # fmt: skip
            self.alternatives.append(alternative)


def constraints_of(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str], types: Mapping[str, str] | None = None
) -> Conjunction:
    """What values the columns of a table have: few as literals, so that files are pruned by them, many as a subquery.

    Doubles are left out, since their last bits may differ from one evaluation to the next.

    Args:
        types: of the table's columns; asked of it when not given.
    """
    if types is None:
        types = {row[0]: row[1] for row in connection.execute(f"describe {table}").fetchall()}
    known = set(columns)
    names = [name for name, kind in types.items() if name in known and kind not in FLOATS and "[" not in kind]
    if not names:
        return {}
    selected = ", ".join(quote(one) for one in names)
    rows = connection.execute(f"select {selected} from {table} limit {_MOST_LITERALS + 1}").fetchall()
    bounds: dict[str, tuple[dt.date, dt.date]] = {}
    if len(rows) <= _MOST_LITERALS:
        found = [({one for one in column if one is not None}, None in column) for column in zip(*rows, strict=True)]
        found = found or [(set(), False) for _ in names]
    else:
        found, bounds = _of_many(connection, table, names, types)
    constraints = {}
    # Of many rows that say which record they came from, file and app narrow enough: each further list of values costs
    # a join over everything that is looked through.
    narrowing = {"_file_id", "app_id"} if {"_file_id", "_row_number"} <= set(names) else set(names)
    for name, (values, has_null) in zip(names, found, strict=True):
        literals = [literal(value) for value in values]
        if len(values) <= _MOST_LITERALS and all(literals):
            text = f"({', '.join(sorted(str(one) for one in literals))})"
            constraints[name] = Constraint(text, frozenset(str(one) for one in literals), has_null)
        elif name in narrowing:
            text = f"(select distinct {quote(name)} from {table} where {quote(name)} is not null)"
            constraints[name] = Constraint(text, None, has_null, bounds.get(name))
        elif name in bounds:
            constraints[name] = Constraint("", None, has_null, bounds[name])
    return constraints


def _of_many(
    connection: duckdb.DuckDBPyConnection, table: str, names: list[str], types: Mapping[str, str]
) -> tuple[list[tuple[set[Any], bool]], dict[str, tuple[dt.date, dt.date]]]:
    """Of many rows the values of each column, one more than are said as literals, and the span of its dates."""
    parts = [
        f"list_slice(list(distinct {quote(name)}), 1, {_MOST_LITERALS + 1}), count(*) > count({quote(name)}),"
        + (f" min({quote(name)}), max({quote(name)})" if types[name] == "DATE" else " null, null")
        for name in names
    ]
    row = connection.execute(f"select {', '.join(parts)} from {table}").fetchall()[0]
    found = [(set(row[4 * place] or []), bool(row[4 * place + 1])) for place in range(len(names))]
    bounds = {
        name: (row[4 * place + 2], row[4 * place + 3] + dt.timedelta(days=1))
        for place, name in enumerate(names)
        if row[4 * place + 2] is not None and row[4 * place + 3] < dt.date.max
    }
    return found, bounds
