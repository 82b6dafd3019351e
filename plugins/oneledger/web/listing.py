"""Long lists: pages of fifty rows, ordered by a column that the list offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from pydantic import BeforeValidator

from oneledger.web.reading import Reading, Row

ROWS = 50

# A form sends a choice that was not made, and a field that was left empty, as "".
NOT_GIVEN = BeforeValidator(lambda value: None if value == "" else value)

PageNumber = Annotated[int, Query(alias="page", ge=1, le=100_000, description="which page of the list")]
SearchText = Annotated[str, Query(alias="q", max_length=80, description="part of a name or number")]


@dataclass(frozen=True)
class Listing:
    """One page of a list.

    Attributes:
        sort: the column, with ``-`` before it when the largest come first.
    """

    rows: list[Row]
    total: int
    page: int
    sort: str

    @property
    def pages(self) -> int:
        return -(-self.total // ROWS)


def listed(
    reading: Reading, select: str, parameters: Mapping[str, object], *, sort: str, key: str, page: int
) -> Listing:
    """One page of a statement's rows, and how many there are in all.

    Args:
        select: a statement of ours without order; values of a visitor only as parameters.
        sort: a column of the statement out of those that the page's own type allows (``Literal``), with or without
            ``-``; what is missing comes last either way.
        key: the column that makes the order whole.
    """
    column, order = sort.removeprefix("-"), "desc" if sort.startswith("-") else "asc"
    if not column.isidentifier():
        raise AssertionError(f"{sort!r} is no column that a page may offer for sorting")
    rows = reading.rows(
        f"{with_total(select)} order by {column} {order} nulls last, {key} limit {ROWS} offset {(page - 1) * ROWS}",
        parameters,
    )
    if rows:
        total = rows[0]["total_count"]
    else:
        counted = reading.one(f"select count(*) as total_count from ({select})", parameters)
        total = counted["total_count"] if counted else 0
    return Listing(rows, total, page, sort)


def with_total(select: str) -> str:
    """The statement's rows, each with ``total_count``, how many there are in all; order and limit may follow.

    Not ``count(*) over ()``: where a filter leaves few rows DuckDB 1.5 sometimes loses a race in it, ends with an
    internal error and answers nothing more (its issues 22846 and 25713).
    """
    return (
        f"with chosen as materialized ({select})"
        " select *, (select count(*) from chosen) as total_count from chosen"
    )  # fmt: skip


def contains(text: str) -> str:
    """A pattern for ``ilike … escape '\\'`` that finds the text anywhere, its own signs taken as they are."""
    escaped = text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def cells(rows: Sequence[Row], *names: str) -> list[list[Any]]:
    """Some columns of rows, in this order: the numbers of a chart as a table."""
    return [[row[name] for name in names] for row in rows]
