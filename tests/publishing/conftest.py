"""A small warehouse with marts, two months of a daily fact, and both gates open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from oneledger.quality.gate_state import record_gate
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables

TABLES = """
create table marts.app_usage_month (app_id varchar, release_end varchar, month varchar, visitors_count bigint,
    page_views_count bigint, mean_rate double, note varchar);
insert into marts.app_usage_month values
    ('a1', 'zheliban_app', '2022-09', 30, 300, 0.1 + 0.2, '=cmd|calc'),
    ('a2', 'zheliban_app', '2022-10', 7, null, null, '公共自行车'),
    ('a2', 'zheliban_app', '2022-10', 7, null, null, '公共自行车');
comment on table marts.app_usage_month is 'One row per app, release end and month.';
comment on column marts.app_usage_month.visitors_count is 'Distinct visitors, summed over days';
create view marts.low_use as select app_id from marts.app_usage_month where visitors_count < 10;
create table marts.run_outcome (outcome_id varchar, run_id varchar, step varchar, verdict varchar,
    started_at timestamp);
create table evaluation.app_stars (run_id varchar, period varchar, app_id varchar, stars integer);
insert into evaluation.app_stars values ('run-one', '2022-Q3', 'a1', 5);
create table marts.published_figure (figure_id varchar, title_zh varchar, title_en varchar, published_value double,
    computed_value double, difference double, comparison varchar, mart varchar, filter varchar, is_matched boolean,
    source_reference varchar);
insert into marts.published_figure values
    ('projects', '项目数', 'Projects', 1793, 1793, 0, '=', 'marts.dim_project', 'true', true, 'reply, p. 3');
create table marts.fct_app_usage_day (usage_on date, app_id varchar, visitors_count bigint, _batch_id varchar);
"""


def add_usage(connection: duckdb.DuckDBPyConnection, day: str, visitors: int, batch: str = "b") -> None:
    """Replace one day of the fact and mark it as pending, as admission and the models do."""
    connection.execute("delete from marts.fct_app_usage_day where usage_on = ?", [day])
    connection.execute(
        "insert into marts.fct_app_usage_day select ?::date, 'a' || i, ? + i, ? from range(20) as t (i)",
        [day, visitors, batch],
    )
    connection.execute("insert or ignore into control.pending_date values ('usage', ?)", [day])
    connection.execute(
        "insert or replace into control.admitted_batch values ('zheliban.usage.' || ? || '.r001', 'zheliban', 'usage',"
        " ?, 1, ?, 'c', 20, 20, 0, 0, 0, 'run', now()::timestamp)",
        [day, day, day],
    )


def open_gates(connection: duckdb.DuckDBPyConnection, run_id: str = "run-one") -> None:
    for gate in ("sources", "marts"):
        record_gate(connection, gate, run_id=run_id, is_open=True, as_of=dt.date(2022, 10, 31))


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A published marts file; under its own name, marts, DuckDB would find ``marts.x`` ambiguous."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as published (read_only)")
        connection.execute("use published")
        yield connection


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation whose warehouse holds September and October 2022, ready to be published."""
    return small_installation(tmp_path)


def small_installation(folder: Path) -> Settings:
    """The same in a folder of one's choice."""
    project = folder / "project"
    for part in ("models", "macros", "seeds"):
        (project / "dbt_project" / part).mkdir(parents=True)
    (project / "dbt_project" / "models" / "a.sql").write_text("select 1", encoding="utf-8")
    made = Settings(home=folder / "home", project_root=project, memory_limit="1GB", threads=2)
    with open_warehouse(made) as connection:
        create_control_tables(connection)
        connection.execute(TABLES)
        add_usage(connection, "2022-09-30", 100)
        add_usage(connection, "2022-10-31", 200)
        open_gates(connection)
    return made
