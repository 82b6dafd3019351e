"""Nothing under the limit can be read or worked out from what is published, and what is withheld is no 0."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneledger.open_data.listing import PublicTable
from oneledger.open_data.suppression import rows_sql, totals_sql

LIMIT = 10
TABLE = PublicTable(
    table="marts.usage", resource="usage", columns=("app_id", "release_end", "visitors_count", "page_views_count"),
    suppress={"count": "visitors_count", "state": "visitors_state", "with": ["page_views_count"],
              "within": ["release_end"], "totals": "usage-total"},
    why="a test", decided_by="nobody", reviewed_on=dt.date(2022, 1, 1), since=dt.date(2022, 1, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    app_id: str
    release_end: str
    visitors: int | None
    state: str
    page_views: int | None


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        opened.execute("create schema marts")
        opened.execute(
            "create table marts.usage (app_id varchar, release_end varchar, visitors_count bigint,"
            " visitors_state varchar, page_views_count bigint)"
        )
        yield opened


Publication = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


def published(connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> Publication:
    """What an outsider gets: (app, end, visitors, page views, status), and (end, rows, missing, totals, status)."""
    connection.execute("delete from marts.usage")
    connection.executemany(
        "insert into marts.usage values (?, ?, ?, ?, ?)",
        [(one.app_id, one.release_end, one.visitors, one.state, one.page_views) for one in rows],
    )
    return tuple(
        connection.execute(f"select * from ({make(TABLE, LIMIT)}) order by all").fetchall()
        for make in (rows_sql, totals_sql)
    )


@st.composite
def usage(draw: st.DrawFn) -> list[Row]:
    """Up to two ends with a handful of apps each: zeros, small counts, equal counts, large ones, missing ones."""
    rows = []
    counts = st.one_of(
        st.integers(1, LIMIT - 1), st.integers(LIMIT, LIMIT + 4), st.integers(0, 300), st.sampled_from([0, 9, 10, None])
    )
    for end in ("app", "wechat")[: draw(st.integers(1, 2))]:
        for number in range(draw(st.integers(1, 6))):
            visitors = draw(counts)
            state = "reported" if visitors is not None else draw(st.sampled_from(["missing", "not_applicable"]))
            views = None if visitors is None else visitors * draw(st.integers(1, 5))
            rows.append(Row(f"a{number}", end, visitors, state, views))
    return rows


def alternatives(rows: list[Row], row: Row, withheld: list[Row], is_total_withheld: bool) -> Iterator[list[Row]]:
    """Other cities that could have been published, each with another count in ``row``: two withheld rows change places,
    or, when nothing says what they add up to, the count is another one under the limit."""
    if is_total_withheld:
        other = replace(row, visitors=row.visitors % (LIMIT - 1) + 1, page_views=(row.page_views or 0) + 1)
        yield [other if one is row else one for one in rows]
    for partner in withheld:
        if partner.visitors != row.visitors:
            mine = replace(row, visitors=partner.visitors, page_views=partner.page_views)
            theirs = replace(partner, visitors=row.visitors, page_views=row.page_views)
            yield [mine if one is row else theirs if one is partner else one for one in rows]


@given(usage())
@settings(max_examples=150)
def test_every_withheld_count_could_as_well_be_another_one(
    connection: duckdb.DuckDBPyConnection, rows: list[Row]
) -> None:
    shown, totals = published(connection, rows)
    status = {(app, end): one for app, end, _, _, one in shown}
    total_status = {end: one for end, *_, one in totals}
    for row in rows:
        if status[row.app_id, row.release_end] != "suppressed":
            continue
        withheld = [
            one for one in rows
            if one.release_end == row.release_end and status[one.app_id, one.release_end] == "suppressed"
        ]  # fmt: skip
        others = list(alternatives(rows, row, withheld, total_status[row.release_end] == "suppressed"))
        assert others, f"{row} can be worked out"
        for other in others:
            assert published(connection, other) == (shown, totals)
        if total_status[row.release_end] != "suppressed":
            assert {one.visitors >= LIMIT for one in withheld} == {True, False}, "who is small can be told"


@given(usage())
@settings(max_examples=150)
def test_no_count_under_the_limit_is_shown_and_none_is_left_over_when_the_visible_ones_are_taken_from_the_total(
    connection: duckdb.DuckDBPyConnection, rows: list[Row]
) -> None:
    shown, totals = published(connection, rows)
    for _, _, visitors, views, status in shown:
        assert visitors is None or visitors == 0 or visitors >= LIMIT
        assert (visitors is None) == (status != "reported")
        assert status == "reported" or views is None
    for end, _, _, total, _, status in totals:
        visible = sum(visitors or 0 for _, one, visitors, _, _ in shown if one == end)
        assert total is None or total - visible == 0 or total - visible > LIMIT
        assert (status == "suppressed") <= (total is None)


@given(usage())
@settings(max_examples=60)
def test_zero_missing_not_applicable_and_withheld_stay_four_things(
    connection: duckdb.DuckDBPyConnection, rows: list[Row]
) -> None:
    shown, totals = published(connection, rows)
    found = {(app, end): (visitors, status) for app, end, visitors, _, status in shown}
    for row in rows:
        visitors, status = found[row.app_id, row.release_end]
        if row.visitors is None:
            assert (visitors, status) == (None, row.state)
        elif row.visitors == 0:
            assert (visitors, status) == (0, "reported")
        else:
            assert status in ("reported", "suppressed")
    for end, rows_count, missing_count, *_ in totals:
        of_end = [one for one in rows if one.release_end == end]
        assert (rows_count, missing_count) == (len(of_end), sum(one.state == "missing" for one in of_end))


def test_without_a_small_count_nothing_is_withheld(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [Row("a", "app", 10, "reported", 30), Row("b", "app", 0, "reported", 0), Row("c", "app", 99, "reported", 99)]
    shown, totals = published(connection, rows)
    assert {status for *_, status in shown} == {"reported"}
    assert totals == [("app", 3, 0, 109, 129, "reported")]


def test_one_small_count_takes_the_smallest_other_with_it_and_all_that_equal_that(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    counts = {"a": 3, "b": 12, "c": 12, "d": 40}
    shown, totals = published(connection, [Row(app, "app", count, "reported", count) for app, count in counts.items()])
    assert {app: status for app, _, _, _, status in shown} == {
        "a": "suppressed", "b": "suppressed", "c": "suppressed", "d": "reported"
    }  # fmt: skip
    assert totals == [("app", 4, 0, 67, 67, "reported")]


def test_a_small_count_that_stands_alone_takes_the_total_with_it(connection: duckdb.DuckDBPyConnection) -> None:
    shown, totals = published(connection, [Row("a", "app", 3, "reported", 5), Row("b", "app", 0, "reported", 0)])
    assert [row[2:] for row in shown] == [(None, None, "suppressed"), (0, 0, "reported")]
    assert totals == [("app", 2, 0, None, None, "suppressed")]
