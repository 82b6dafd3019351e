"""What a query gives, and the queries that are known by name where another stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from oneledger.lineage.column_expressions import Names
from oneledger.lineage.column_uses import LineageError, Uses, Where

ColumnsOf = Callable[[str], tuple[str, ...] | None]


@dataclass
class Output:
    """What a query gives.

    Attributes:
        columns: by name in order, what each depends on.
        rows: what decides which rows there are.
        steps: by name, the SQL that computes the column; empty where it is passed on from a table as it is.
        constants: by name, SQL literals that stand in the query for the column (in some branch of it).
    """

    columns: dict[str, Uses]
    rows: Uses
    steps: dict[str, tuple[str, ...]] = field(default_factory=dict)
    constants: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Defined:
    """The queries that a ``with`` names, as far as they are known where a query stands."""

    columns_of: ColumnsOf
    queries: Mapping[str, tuple[exp.Expr, Defined]]
    outputs: dict[tuple[int, Where], Output | None] = field(default_factory=dict)
    outer: Names | None = None

    def within(self, node: exp.Expr) -> Defined:
        """With the names that ``node`` itself defines."""
        clause = node.args.get("with_")
        if clause is None:
            return self
        if clause.args.get("recursive") and any(
            any(table.name == one.alias for table in one.this.find_all(exp.Table)) for one in clause.expressions
        ):
            raise LineageError("a recursive query cannot be followed")
        known = self
        for one in clause.expressions:
            queries = {**known.queries, one.alias.lower(): (one.this, known)}
            known = Defined(self.columns_of, queries, self.outputs, self.outer)
        return known


def extend(known: dict[str, tuple[str, ...]], name: str, more: tuple[str, ...]) -> None:
    known[name] = tuple(dict.fromkeys((*known.get(name, ()), *more)))


def unused(name: str, output: Output) -> str:
    """The name of one more column; a second of the same name keeps its place, and can be asked for by place only."""
    while name in output.columns:
        name += "'"
    return name
