"""A publication writes what changed, and ends with the same version as one that writes everything."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import duckdb
import pytest

from oneledger.publishing import fact_month
from oneledger.publishing.fact_month import write_month
from oneledger.publishing.facts import DailyFact, daily_facts
from oneledger.publishing.parts import FactPart, read_parts
from oneledger.publishing.publish import publish
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from tests.publishing.conftest import add_usage, open_gates, opened

MONTHS = """
create table marts.money_month (project_id varchar, month date, spent_cny double, batch_id varchar);
insert into marts.money_month
select 'p' || i, date '2022-08-01' + interval (i % 3) month, i * 0.1, 'b' || i from range(300) as t (i);
comment on column marts.money_month.spent_cny is 'Yuan spent in the month';
"""


def _with_months(settings: Settings) -> PublishedVersion:
    with open_warehouse(settings) as connection:
        connection.execute(MONTHS)
    return publish(settings, run_id="run-one")


def _changed(settings: Settings, statement: str, run_id: str = "run-two") -> PublishedVersion:
    with open_warehouse(settings) as connection:
        connection.execute(statement)
        open_gates(connection)
    return publish(settings, run_id=run_id)


def _written_anew(settings: Settings, version: PublishedVersion) -> PublishedVersion:
    """The same data published by somebody who may build on nothing."""
    (version.path / "parts.json").unlink()
    with open_warehouse(settings) as connection:
        connection.execute("comment on table marts.money_month is 'another'")
        connection.execute("update evaluation.app_stars set stars = coalesce(stars, 0)")
        open_gates(connection)
    return publish(settings, run_id="run-anew")


def _rows(version: PublishedVersion, table: str) -> list[tuple[object, ...]]:
    with opened(version.marts_path) as connection:
        return connection.execute(f"select * from {table} order by all").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "update marts.money_month set spent_cny = spent_cny + 1 where month = date '2022-10-01' and project_id < 'p2'",
        "delete from marts.money_month where month = date '2022-09-01';"
        "insert into marts.money_month values ('new', date '2022-11-01', null, 'b'), ('undated', null, 1, 'b')",
        "update marts.money_month set batch_id = 'another'",
        "create table marts.added (a integer); insert into marts.added values (1); drop table marts.published_figure",
        "alter table marts.money_month add column note varchar",
    ],
)
def test_what_is_taken_over_and_what_is_written_make_the_version_that_the_warehouse_holds(
    settings: Settings, statement: str
) -> None:
    _with_months(settings)
    add = "update evaluation.app_stars set stars = 4;"  # so that a change of batches alone is published as well
    version = _changed(settings, add + statement)
    with open_warehouse(settings) as connection:
        held = connection.execute("select * from marts.money_month order by all").fetchall()
    assert _rows(version, "marts.money_month") == held
    anew = _written_anew(settings, version)
    assert {
        one["name"]: one["content_hash"] for one in anew.manifest["tables"] if "run_outcome" not in one["name"]
    } == {one["name"]: one["content_hash"] for one in version.manifest["tables"] if "run_outcome" not in one["name"]}


def test_only_the_month_that_changed_is_written_and_counted_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _with_months(settings)
    written: list[str] = []
    real = duckdb.DuckDBPyConnection.execute

    class Watched:
        """A connection that remembers what is written into the version."""

        def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
            self._connection = connection

        def execute(self, sql: str, *parameters: object) -> duckdb.DuckDBPyConnection:
            if sql.startswith(("create or replace table", "insert into version", "delete from version", "copy")):
                written.append(sql)
            return real(self._connection, sql, *parameters)

    from oneledger.publishing import publish as publishing

    real_write = publishing.write_version
    monkeypatch.setattr(
        publishing,
        "write_version",
        lambda connection, *given, **named: real_write(Watched(connection), *given, **named),
    )
    second = _changed(settings, "update marts.money_month set spent_cny = 0 where month = date '2022-09-01'")
    tables = [sql for sql in written if "version_in_the_making" in sql]
    assert [sql.split(" as ")[0].split(" where ")[0].split(" select ")[0].split(" (")[0] for sql in tables] == [
        'delete from version_in_the_making.marts."money_month"',
        'insert into version_in_the_making.marts."money_month"',
        'create or replace table version_in_the_making.marts."run_outcome"',
        'insert into version_in_the_making.marts."run_outcome"',
    ]
    assert all("'2022-09'" in sql for sql in tables[:2])
    assert not [sql for sql in written if "fct_app_usage_day" in sql]
    for file in ("2022-09.parquet", "2022-10.parquet"):
        path = Path("facts") / "fct_app_usage_day" / file
        assert (first.path / path).samefile(second.path / path)
    before, after = read_parts(first).tables["marts.money_month"], read_parts(second).tables["marts.money_month"]
    assert {part for part in after if before[part] != after[part]} == {"2022-09"}


def test_descriptions_are_still_there_in_a_file_that_was_built_on_another(settings: Settings) -> None:
    _with_months(settings)
    version = _changed(settings, "delete from marts.money_month where month = date '2022-09-01'")
    with opened(version.marts_path) as connection:
        comment = connection.execute(
            "select comment from duckdb_columns() where table_name = 'money_month' and column_name = 'spent_cny'"
        ).fetchone()
    assert comment == ("Yuan spent in the month",)


def test_a_file_that_was_changed_after_it_was_sealed_is_not_built_on(settings: Settings) -> None:
    first = _with_months(settings)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{first.marts_path}' as published")
        connection.execute("update published.marts.money_month set spent_cny = 1000000")
    version = _changed(settings, "update evaluation.app_stars set stars = 3")
    assert max(row[2] for row in _rows(version, "marts.money_month")) < 30  # type: ignore[type-var]


def test_a_redelivered_day_is_counted_out_and_in_again(settings: Settings) -> None:
    publish(settings, run_id="run-one")
    with open_warehouse(settings) as connection:
        add_usage(connection, "2022-10-31", 999)
        add_usage(connection, "2022-10-07", 3)
        open_gates(connection)
    version = publish(settings, run_id="run-two")
    with open_warehouse(settings, read_only=True) as connection:
        fact = daily_facts(connection)[0]
        whole = write_month(connection, fact, "2022-10", settings.home / "whole.parquet", progress=print)
    assert read_parts(version).facts[fact.name]["2022-10"] == whole


@pytest.fixture
def month(monkeypatch: pytest.MonkeyPatch) -> tuple[duckdb.DuckDBPyConnection, DailyFact]:
    """Twenty days of a thousand rows each, of which two and a half fit into a run."""
    monkeypatch.setattr(fact_month, "ROWS_OF_A_RUN", 2500)
    connection = duckdb.connect()
    connection.execute("set preserve_insertion_order = false")
    connection.execute("create schema marts")
    connection.execute(
        "create table marts.fct_app_usage_day as select 'a' || (i * 7919 % 997) as app_id,"
        " date '2022-10-01' + (i // 1000)::integer as usage_on, i as visitors_count, 'b' || i as _batch_id"
        " from range(20000) as t (i)"
    )
    return connection, dataclasses.replace(daily_facts(connection)[0])


def _in_file_order(connection: duckdb.DuckDBPyConnection, path: Path) -> list[tuple[object, ...]]:
    return connection.execute(
        f"select usage_on, app_id, visitors_count from read_parquet('{path}', file_row_number = true)"
        " order by file_row_number"
    ).fetchall()


def test_a_large_month_stands_in_runs_of_days_that_are_sorted_by_app(
    month: tuple[duckdb.DuckDBPyConnection, DailyFact], tmp_path: Path
) -> None:
    connection, fact = month
    told: list[str] = []
    part = write_month(connection, fact, "2022-10", tmp_path / "month.parquet", progress=told.append)
    assert [line.split(", about")[0] for line in told] == [
        *(f"fct_app_usage_day of 2022-10: {number} of 10 runs" for number in range(1, 11)),
        "fct_app_usage_day of 2022-10: all runs into one file",
    ]
    runs = [dt.date.fromisoformat(start) for start in part.runs]
    assert runs == [dt.date(2022, 10, day) for day in range(1, 21, 2)]
    rows = _in_file_order(connection, tmp_path / "month.parquet")
    assert rows == sorted(rows, key=lambda row: (max(run for run in runs if run <= row[0]), row[1], row[0]))  # type: ignore[operator]
    assert [path.name for path in tmp_path.iterdir()] == ["month.parquet"]


def test_a_month_that_grew_is_byte_for_byte_in_order_as_if_it_were_written_anew(
    month: tuple[duckdb.DuckDBPyConnection, DailyFact], tmp_path: Path
) -> None:
    connection, fact = month
    before = write_month(connection, fact, "2022-10", tmp_path / "before.parquet", progress=print)
    connection.execute(
        "insert into marts.fct_app_usage_day select 'a' || i, date '2022-10-21', i, 'c' from range(1000) as t (i)"
    )
    connection.execute(
        "delete from marts.fct_app_usage_day where usage_on = date '2022-10-15' and visitors_count % 3 = 0"
    )
    days = (dt.date(2022, 10, 15), dt.date(2022, 10, 21))
    grown = write_month(
        connection, fact, "2022-10", tmp_path / "grown.parquet", ground=tmp_path / "before.parquet", known=before,
        days=days, progress=print,
    )  # fmt: skip
    anew = write_month(connection, fact, "2022-10", tmp_path / "anew.parquet", progress=print)
    assert grown == anew
    assert _in_file_order(connection, tmp_path / "grown.parquet") == _in_file_order(
        connection, tmp_path / "anew.parquet"
    )


def test_days_before_the_first_changed_one_are_not_read_from_the_warehouse(
    month: tuple[duckdb.DuckDBPyConnection, DailyFact], tmp_path: Path
) -> None:
    connection, fact = month
    before = write_month(connection, fact, "2022-10", tmp_path / "before.parquet", progress=print)
    # Were it read, it would show: nobody said that this day changed.
    connection.execute("update marts.fct_app_usage_day set visitors_count = -1 where usage_on = date '2022-10-02'")
    connection.execute("insert into marts.fct_app_usage_day values ('a1', date '2022-10-21', 5, 'c')")
    write_month(
        connection, fact, "2022-10", tmp_path / "grown.parquet", ground=tmp_path / "before.parquet", known=before,
        days=[dt.date(2022, 10, 21)], progress=print,
    )  # fmt: skip
    least = connection.execute(f"select min(visitors_count), count(*) from '{tmp_path / 'grown.parquet'}'").fetchone()
    assert least == (0, 20001)


def test_days_that_are_taken_over_and_are_not_those_of_the_warehouse_stop_the_publication(
    month: tuple[duckdb.DuckDBPyConnection, DailyFact], tmp_path: Path
) -> None:
    connection, fact = month
    before = write_month(connection, fact, "2022-10", tmp_path / "before.parquet", progress=print)
    # Nobody said that this day changed.
    connection.execute("delete from marts.fct_app_usage_day where visitors_count = 1001")
    with pytest.raises(RuntimeError, match="would be published with 20000 rows, the warehouse holds 19999"):
        write_month(
            connection, fact, "2022-10", tmp_path / "grown.parquet", ground=tmp_path / "before.parquet", known=before,
            days=[dt.date(2022, 10, 20)], progress=print,
        )  # fmt: skip


def test_a_part_survives_its_file(settings: Settings) -> None:
    version = publish(settings, run_id="run-one")
    parts = read_parts(version)
    assert set(parts.tables) == {one["name"] for one in version.manifest["tables"]}
    assert all(isinstance(one, FactPart) for months in parts.facts.values() for one in months.values())
