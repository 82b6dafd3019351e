"""How a column is used on the way to another one: the words of column lineage, and how two steps make one.

The kinds are those of OpenLineage's column lineage facet (docs/lineage.md explains each with an example).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

IDENTITY = "identity"
TRANSFORMATION = "transformation"
AGGREGATION = "aggregation"
CONDITIONAL = "conditional"
JOIN = "join"
FILTER = "filter"
GROUP_BY = "group_by"
WINDOW = "window"
SORT = "sort"
# From weak to strong: what is summed and then rounded was aggregated.
DIRECT = (IDENTITY, TRANSFORMATION, AGGREGATION)
INDIRECT = (CONDITIONAL, JOIN, FILTER, GROUP_BY, WINDOW, SORT)
KINDS = (*DIRECT, *INDIRECT)
# Stands for which rows a relation has, where a column is expected.
ROWS = "*"
_MOST_STEPS = 8

Where = frozenset[tuple[str, str]]
EVERYWHERE: Where = frozenset()


class LineageError(ValueError):
    """SQL of which it cannot be said what its columns come from; the message names the part."""


@dataclass(frozen=True)
class Origin:
    """A column of a relation that SQL reads.

    Attributes:
        relation: ``schema.table``.
        column: its name, or ``*`` for which rows there are.
        where: columns of the relation that have one known value in all rows that count: ``(name, SQL literal)``.
    """

    relation: str
    column: str
    where: Where = EVERYWHERE


@dataclass(frozen=True)
class Use:
    """One way in which an origin is used.

    Attributes:
        expressions: the SQL of the steps, the last one first; without those that only pass the value on.
        is_masking: the value cannot be read off the result any more: it was counted or hashed.
    """

    expressions: tuple[str, ...] = ()
    is_masking: bool = False


# What something depends on: by origin, by kind, how.
Uses = dict[Origin, dict[str, Use]]


def add(into: Uses, found: Uses) -> None:
    """Merge; the first use of a kind stays."""
    for origin, kinds in found.items():
        known = into.setdefault(origin, {})
        for kind, use in kinds.items():
            known.setdefault(kind, use)


def merged(parts: Iterable[Uses]) -> Uses:
    together: Uses = {}
    for part in parts:
        add(together, part)
    return together


def then(found: Uses, kind: str, expression: str, *, is_masking: bool = False) -> Uses:
    """What was ``found`` for a column, seen through one more step that uses this column as ``kind``."""
    stepped: Uses = {}
    for origin, kinds in found.items():
        for before, use in kinds.items():
            known = stepped.setdefault(origin, {})
            expressions = use.expressions if kind == IDENTITY else _steps(expression, use)
            known.setdefault(_after(before, kind), Use(expressions, use.is_masking or is_masking))
    return stepped


def as_rows(rows: Uses, kind: str, expression: str) -> Uses:
    """What decides which rows there are, for a result drawn from these rows; a join stays a join, a filter a filter."""
    stepped: Uses = {}
    for origin, kinds in rows.items():
        for before, use in kinds.items():
            after = before if before in INDIRECT else kind
            stepped.setdefault(origin, {}).setdefault(after, Use(_steps(expression, use), use.is_masking))
    return stepped


def _after(before: str, kind: str) -> str:
    if kind in INDIRECT:
        return kind
    if before in INDIRECT:
        return before
    return max(before, kind, key=DIRECT.index)


def _steps(expression: str, use: Use) -> tuple[str, ...]:
    """A step that stands in the one after it, as that of a query in brackets does, is not said twice."""
    return (expression, *(one for one in use.expressions if one not in expression))[:_MOST_STEPS]
