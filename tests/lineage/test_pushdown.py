"""Rows traced through shapes of SQL: the SQL over nothing but the traced rows gives the row again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneledger.lineage.blocks import read_blocks
from oneledger.lineage.constraints import Conjunction, constraints_of
from oneledger.lineage.edges import edge_column, edge_values
from oneledger.lineage.pushdown import BlockTracer, Contribution
from oneledger.lineage.pushing import Pushing
from oneledger.lineage.recomputing import differing_rows
from oneledger.lineage.selecting import Reading

TYPES = {
    "a.usage": {"app": "VARCHAR", "end_name": "VARCHAR", "day": "DATE", "visitors": "BIGINT", "line": "BIGINT"},
    "a.app": {"app": "VARCHAR", "owner": "VARCHAR", "line": "BIGINT"},
    "a.listing": {"app": "VARCHAR", "day": "DATE", "line": "BIGINT"},
}
USAGE, APP, LISTING = ('"warehouse"."a"."usage"', '"warehouse"."a"."app"', '"warehouse"."a"."listing"')
SHAPES = {
    "passed on and filtered": f"select app, day, visitors from {USAGE} where visitors > 1",
    "summed by a group": f"select app, sum(visitors) as total, count(*) as days from {USAGE} group by app",
    "grouped by an expression": (
        f"select app, date_trunc('month', day) as month, sum(visitors) as total from {USAGE}"
        " group by app, date_trunc('month', day)"
    ),
    "grouped by all": f"select app, end_name, max(visitors) as most from {USAGE} group by all",
    "smallest, largest and any of a group": (
        f"select app, min(day) as first_day, max(visitors) as most, bool_or(visitors > 3) as has_many,"
        f" bit_or(visitors) as bits, count(distinct end_name) as ends from {USAGE} group by app"
    ),
    "largest under a filter": (
        f"select app, max(visitors) filter (where end_name = 'x') as most_x, arg_max(end_name, visitors) as best"
        f" from {USAGE} group by app"
    ),
    "a total of everything": f"select count(*) as rows_count, sum(visitors) as total from {USAGE}",
    "an inner join": (
        f"select usage.app, usage.day, usage.visitors, app.owner from {USAGE} as usage"
        f" inner join {APP} as app on usage.app = app.app"
    ),
    "a left join that may find nothing": (
        f"select app.app, app.owner, usage.visitors from {APP} as app"
        f" left join {USAGE} as usage on app.app = usage.app and usage.visitors > 2"
    ),
    "a full join with coalesced keys": (
        f"with used as (select app, day, sum(visitors) as total from {USAGE} group by app, day)"
        " select coalesce(used.app, listing.app) as app, coalesce(used.day, listing.day) as day, used.total,"
        f" listing.app is not null as is_listed from used full join {LISTING} as listing"
        " on used.app = listing.app and used.day = listing.day"
    ),
    "what is not in another": (
        f"select usage.app, usage.day from {USAGE} as usage left join {APP} as app on usage.app = app.app"
        " where app.app is null"
    ),
    "branches of a union": (
        f"select app, 'usage' as kind, count(*) as rows_count from {USAGE} group by app"
        f" union all select app, 'listing', count(*) from {LISTING} group by app"
    ),
    "a window over each app": (
        f"select app, day, visitors, sum(visitors) over (partition by app order by day, line) as so_far from {USAGE}"
    ),
    "a named window": (
        f"select app, day, lead(day) over days as next_day from {USAGE}"
        " window days as (partition by app order by day, line)"
    ),
    "the newest row of each app": (
        f"select app, day, visitors from {USAGE}"
        " qualify row_number() over (partition by app order by day desc, line) = 1"
    ),
    "chains of queries": (
        f"with daily as (select app, day, visitors from {USAGE} where end_name <> 'z'),"
        " total as (select app, sum(visitors) as total from daily group by app),"
        f" owned as (select app.app, app.owner from {APP} as app)"
        " select owned.owner, total.app, total.total from total inner join owned on total.app = owned.app"
    ),
    "a total beside each row": (
        f"with span as (select min(day) as first_day from {USAGE})"
        f" select usage.app, usage.day, usage.day - span.first_day as days_since from {USAGE} as usage cross join span"
    ),
    "a scalar subquery": f"select 'all' as name, (select sum(visitors) from {USAGE} where end_name = 'x') as total",
    "an exists": (
        f"select app.app, app.owner from {APP} as app where exists"
        f" (select 1 from {USAGE} as usage where usage.app = app.app and usage.visitors > 2)"
    ),
    "distinct rows": f"select distinct app, end_name from {USAGE}",
    "a list taken apart": f"select app, unnest([1, 2]) as place, owner from {APP}",
    "an alias used beside it": f"select app, visitors * 2 as twice, twice + 1 as more from {USAGE}",
    "having": f"select app, sum(visitors) as total from {USAGE} group by app having sum(visitors) > 3",
    "a subquery behind from": (
        f"select part.app, part.most from (select app, max(visitors) as most from {USAGE} group by app) as part"
    ),
    "the first rows only": f"select app, day from {USAGE} order by line limit 3",
    "columns into rows": (
        f"with wide as (select app, sum(visitors) as used, count(*) as counted from {USAGE} group by app)"
        " select app, part, value from (unpivot wide on used, counted into name part value value)"
    ),
}  # fmt: skip

apps = st.sampled_from(["p", "q", "r"])
days = st.integers(1, 40).map(lambda number: dt.date(2022, 1, 1) + dt.timedelta(days=number))
usage_rows = st.lists(
    st.tuples(apps, st.sampled_from("xyz"), days, st.one_of(st.none(), st.integers(0, 6))), max_size=12
)
app_rows = st.lists(st.tuples(apps, st.sampled_from("uv")), max_size=3, unique_by=lambda row: row[0])
listing_rows = st.lists(st.tuples(apps, days), max_size=4, unique=True)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as found:
        found.execute("attach ':memory:' as warehouse; attach ':memory:' as traced; use warehouse")
        yield found


def load(connection: duckdb.DuckDBPyConnection, **tables: list[tuple[Any, ...]]) -> None:
    connection.execute("drop schema if exists warehouse.a cascade; create schema warehouse.a")
    for name, rows in tables.items():
        columns = TYPES[f"a.{name}"]
        connection.execute(
            f"create table warehouse.a.{name} ({', '.join(f'{one} {kind}' for one, kind in columns.items())})"
        )
        for number, row in enumerate(rows):
            connection.execute(
                f"insert into warehouse.a.{name} values ({', '.join('?' * len(columns))})", [*row, number]
            )


class KeptTables:
    """The rows that the conditions let through, kept in tables as a trace of a version keeps them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.count = 0

    def read(self, relation: str, alternatives: Sequence[Conjunction]) -> Reading:
        self.count += 1
        table = f'traced.s."kept {self.count} {relation}"'
        conditions = [" and ".join(one.on(column) for column, one in each.items()) for each in alternatives]
        where = f" where ({') or ('.join(conditions)})" if conditions and all(conditions) else ""
        self.connection.execute(f"create table {table} as select * from warehouse.{relation}{where}")
        return Reading(table, True)


def trace(
    connection: duckdb.DuckDBPyConnection, sql: str, wanted: str, columns: list[str], *, is_kept: bool = False,
    **how: bool,
) -> tuple[list[Contribution], int]:  # fmt: skip
    """What the wanted rows (a condition on the SQL's outputs) came of, and how many do not come again."""
    connection.execute("drop schema if exists traced.s cascade; create schema traced.s")
    connection.execute(f"create table traced.s.wanted as select * from ({sql}) where {wanted}")
    blocks = read_blocks(sql, {name: tuple(kinds) for name, kinds in TYPES.items()})
    tables = KeptTables(connection) if is_kept else None
    found = BlockTracer(connection, blocks, TYPES, "traced.s", tables=tables, **how).trace("traced.s.wanted", columns)
    differing = differing_rows(connection, sql, reads=TYPES, contributions=found, schema="traced.s",
                               wanted="traced.s.wanted", types={})  # fmt: skip
    return found, differing


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, list[str]]]:
    """Each distinct row of the SQL as a condition, and its columns."""
    cursor = connection.execute(f"select distinct * from ({sql})")
    names = [one[0] for one in cursor.description or []]
    found = []
    for row in cursor.fetchall():
        parts = [f'"{name}" is not distinct from {_literal(value)}' for name, value in zip(names, row, strict=True)]
        found.append((" and ".join(parts), names))
    return found


def _literal(value: Any) -> str:
    return "null" if value is None else (str(value) if isinstance(value, int) else f"'{value}'")


@pytest.mark.parametrize("shape", SHAPES)
@given(usage=usage_rows, app=app_rows, listing=listing_rows, is_kept=st.booleans())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_comes_again_from_the_rows_that_it_is_traced_to(
    connection: duckdb.DuckDBPyConnection, shape: str, usage: list[Any], app: list[Any], listing: list[Any],
    is_kept: bool,
) -> None:  # fmt: skip
    load(connection, usage=usage, app=app, listing=listing)
    sql = SHAPES[shape]
    for wanted, names in rows_of(connection, sql)[:3]:
        found, differing = trace(connection, sql, wanted, names, is_kept=is_kept, with_existence=True)
        assert differing == 0, f"{shape}: {wanted} from {[(one.relation, one.rows_count) for one in found]}"
        for one in found:
            stray = connection.execute(
                f"select count(*) from (select * from {one.table} except select * from warehouse.{one.relation})"
            ).fetchall()[0][0]
            assert stray == 0, "a traced row is a row of the relation"


def example(connection: duckdb.DuckDBPyConnection) -> None:
    day = dt.date(2022, 1, 5)
    load(
        connection,
        usage=[("p", "x", day, 3), ("p", "y", day, 5), ("q", "x", day, 9), ("q", "x", day, 9)],
        app=[("p", "u"), ("q", "v")],
        listing=[("p", day)],
    )


def counts(found: list[Contribution]) -> dict[str, int]:
    return {one.relation: one.rows_count for one in found if one.rows_count}


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_sum_is_traced_to_all_rows_of_its_group_and_to_no_other(
    connection: duckdb.DuckDBPyConnection, is_kept: bool
) -> None:
    example(connection)
    found, differing = trace(connection, SHAPES["summed by a group"], "app = 'p'", ["total"], is_kept=is_kept)
    assert (counts(found), differing) == ({"a.usage": 2}, 0)


@pytest.mark.parametrize("is_kept", [False, True])
def test_equal_rows_count_as_often_as_they_stand_there(connection: duckdb.DuckDBPyConnection, is_kept: bool) -> None:
    example(connection)
    found, differing = trace(connection, SHAPES["summed by a group"], "app = 'q'", ["total"], is_kept=is_kept)
    assert (counts(found), differing) == ({"a.usage": 2}, 0)


def test_a_largest_value_is_traced_to_the_row_that_holds_it(connection: duckdb.DuckDBPyConnection) -> None:
    example(connection)
    sql = f"select app, max(visitors) as most from {USAGE} group by app"
    found, differing = trace(connection, sql, "app = 'p'", ["most"])
    assert (counts(found), differing) == ({"a.usage": 1}, 0)
    assert connection.execute('select visitors from traced.s."a.usage"').fetchall() == [(5,)]


def test_a_joined_relation_of_which_no_value_is_wanted_is_left_out(connection: duckdb.DuckDBPyConnection) -> None:
    example(connection)
    sql = f"select usage.app, usage.day, usage.visitors, app.owner from {USAGE} as usage left join {APP} as app on usage.app = app.app"  # noqa: E501
    found, differing = trace(connection, sql, "app = 'p' and visitors = 3", ["visitors"])
    assert counts(found) == {"a.usage": 1}
    with_owner, _ = trace(connection, sql, "app = 'p' and visitors = 3", ["visitors", "owner"])
    assert counts(with_owner) == {"a.usage": 1, "a.app": 1}
    assert differing == 1, "without the owner's row the whole row does not come again; the wanted value does"


def test_a_push_that_leaves_out_too_much_is_found_by_running_the_sql_again(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    example(connection)
    found, _ = trace(connection, SHAPES["summed by a group"], "app = 'p'", ["total"])
    [usage] = [one for one in found if one.relation == "a.usage"]
    connection.execute(f"delete from {usage.table} where visitors = 3")
    assert differing_rows(connection, SHAPES["summed by a group"], reads=TYPES, contributions=found, schema="traced.s",
                          wanted="traced.s.wanted", types={}) == 1  # fmt: skip


MONTHS = (
    f"select app, cast(date_trunc('month', day) as date) as month, sum(visitors) as total from {USAGE} group by all"
)
EDGES = {
    "the first and last of a key": ("select min(part.month) as first, max(part.month) as last from {part}", "month"),
    "the first beside a row of another": (
        f"select coalesce(min(part.month), date '2022-01-01') as first, any_value(app.owner) as owner from {APP} as app"
        " left join {part} on true", "month",
    ),
    "a sum": ("select min(part.month) as first, sum(part.total) as total from {part}", None),
    "a count": ("select min(part.month) as first, count(*) as rows_count from {part}", None),
    "the first of some": ("select min(part.month) as first from {part} where part.total > 3", None),
    "the first of each": ("select part.app, min(part.month) as first from {part} group by part.app", None),
}  # fmt: skip


@pytest.mark.parametrize("shape", EDGES)
def test_only_a_first_or_last_value_of_a_key_is_read_without_the_groups(shape: str) -> None:
    sql, column = EDGES[shape]
    blocks = read_blocks(
        sql.format(part='"warehouse"."a"."months" as part'),
        {"a.months": ("app", "month", "total"), "a.app": tuple(TYPES["a.app"])},
    )
    [block] = blocks.main.blocks
    [source] = [one for one in block.sources if one.relation == "a.months"]
    assert edge_column(block, source) == column


@given(usage=usage_rows)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_first_and_last_value_of_a_key_are_those_of_the_groups(
    connection: duckdb.DuckDBPyConnection, usage: list[Any]
) -> None:
    load(connection, usage=usage, app=[], listing=[])
    values = edge_values(MONTHS, read_blocks(MONTHS, {"a.usage": tuple(TYPES["a.usage"])}), "month")
    assert values is not None and "group by" not in values.lower()
    first_and_last = [
        connection.execute(f"select min(month), max(month) from ({sql})").fetchall() for sql in (MONTHS, values)
    ]
    assert first_and_last[0] == first_and_last[1]
    assert edge_values(MONTHS, read_blocks(MONTHS, {"a.usage": tuple(TYPES["a.usage"])}), "total") is None


def test_days_that_are_asked_for_by_their_month_are_asked_for_by_a_span_of_days(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """So the files of other months need not be opened."""
    example(connection)
    blocks = read_blocks(MONTHS, {"a.usage": tuple(TYPES["a.usage"])})
    [block] = blocks.main.blocks
    connection.execute("create or replace table traced.s.wanted as select date '2022-12-01' as month")
    pushing = Pushing(blocks, TYPES)
    pushing.push(["month"], constraints_of(connection, "traced.s.wanted", ["month"]))
    [pushed] = pushing.pushed[id(block)]
    condition = pushed.by_source["usage"]["day"].on("day")
    assert condition == "(day) >= date '2022-12-01' and (day) < date '2023-01-01'"
