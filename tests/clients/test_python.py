"""What docs/clients.md says of DuckDB, pandas, polars and SQLAlchemy, done with them."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sqlalchemy

from oneledger.publishing.publish import publish
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from tests.publishing.conftest import add_usage, open_gates, small_installation

USAGE = "select app_id, month, page_views_count from published.marts.app_usage_month order by month, app_id"


@pytest.fixture
def attached(current: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"attach '{(current / 'marts.duckdb').resolve()}' as published (read_only)")
    return connection


def test_duckdb_reads_the_file_attached_under_another_name(attached: duckdb.DuckDBPyConnection) -> None:
    assert attached.sql("select sum(visitors_count) from published.marts.app_usage_month").fetchall() == [(44,)]
    attached.execute("use published")
    assert attached.sql("select count(*) from marts.app_usage_month").fetchall() == [(3,)]
    assert attached.sql("select stars from evaluation.app_stars").fetchall() == [(5,)]


def test_opened_by_itself_the_file_and_its_schema_are_one_ambiguous_word(current: Path) -> None:
    with duckdb.connect(str((current / "marts.duckdb").resolve()), read_only=True) as connection:
        with pytest.raises(duckdb.BinderException, match="Ambiguous reference"):
            connection.sql("select count(*) from marts.app_usage_month")
        assert connection.sql("select count(*) from marts.marts.app_usage_month").fetchall() == [(3,)]


def test_a_symbolic_link_of_another_name_does_not_help_and_a_hard_link_does(current: Path, tmp_path: Path) -> None:
    file = (current / "marts.duckdb").resolve()
    (tmp_path / "soft.duckdb").symlink_to(file)
    os.link(file, tmp_path / "oneledger.duckdb")
    with duckdb.connect(str(tmp_path / "soft.duckdb"), read_only=True) as connection:
        assert connection.sql("select current_database()").fetchall() == [("marts",)]
    with duckdb.connect(str(tmp_path / "oneledger.duckdb"), read_only=True) as connection:
        assert connection.sql("select count(*) from marts.app_usage_month").fetchall() == [(3,)]


def test_nothing_can_be_written(attached: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        attached.execute("delete from published.marts.app_usage_month")


def test_daily_facts_are_parquet_files_beside_it(current: Path) -> None:
    facts = current.resolve() / "facts" / "fct_app_usage_day" / "*.parquet"
    assert duckdb.sql(f"select count(*), max(usage_on) from '{facts}'").fetchall() == [(40, dt.date(2022, 10, 31))]


def test_pandas_keeps_whole_numbers_and_missing_ones_when_it_gets_arrow_types(
    attached: duckdb.DuckDBPyConnection,
) -> None:
    frame = attached.sql(USAGE).to_arrow_table().to_pandas(types_mapper=pd.ArrowDtype)
    assert frame["page_views_count"].dtype == pd.ArrowDtype(pa.int64())
    assert frame["page_views_count"].to_list() == [300, pd.NA, pd.NA]
    assert frame["page_views_count"].sum() == 300
    # A sum over nothing but missing values is missing when one asks for at least one value, and 0 when not.
    missing = frame[frame["app_id"] == "a2"]["page_views_count"]
    assert pd.isna(missing.sum(min_count=1))
    assert missing.sum() == 0


def test_pandas_through_sqlalchemy_turns_whole_numbers_with_missing_ones_into_floating_point(
    attached: duckdb.DuckDBPyConnection, current: Path, tmp_path: Path
) -> None:
    assert attached.sql(USAGE).df()["page_views_count"].dtype == "Int64"
    os.link((current / "marts.duckdb").resolve(), tmp_path / "published.duckdb")
    engine = sqlalchemy.create_engine(f"duckdb:///{tmp_path / 'published.duckdb'}", connect_args={"read_only": True})
    assert pd.read_sql(USAGE, engine)["page_views_count"].dtype == "float64"
    assert pd.read_sql(USAGE, engine, dtype_backend="pyarrow")["page_views_count"].to_list() == [300, pd.NA, pd.NA]
    engine.dispose()


def test_polars_keeps_them_apart(attached: duckdb.DuckDBPyConnection, current: Path) -> None:
    frame = attached.sql(USAGE).pl()
    assert frame.schema["page_views_count"] == pl.Int64
    assert frame["page_views_count"].to_list() == [300, None, None]
    lazy = pl.scan_parquet(current.resolve() / "facts" / "fct_app_usage_day" / "*.parquet")
    months = lazy.group_by(pl.col("usage_on").dt.truncate("1mo")).agg(pl.len()).sort("usage_on").collect()
    assert months.rows() == [(dt.date(2022, 9, 1), 20), (dt.date(2022, 10, 1), 20)]


def test_sqlalchemy_reads_a_hard_link_read_only(current: Path, tmp_path: Path) -> None:
    os.link((current / "marts.duckdb").resolve(), tmp_path / "oneledger.duckdb")
    engine = sqlalchemy.create_engine(f"duckdb:///{tmp_path / 'oneledger.duckdb'}", connect_args={"read_only": True})
    with engine.connect() as connection:
        frame = pd.read_sql(
            sqlalchemy.text("select app_id from marts.app_usage_month where month = :month"), connection,
            params={"month": "2022-09"},
        )  # fmt: skip
    assert frame["app_id"].to_list() == ["a1"]
    engine.dispose()


def test_who_holds_the_resolved_path_keeps_one_version_while_the_next_is_published(tmp_path: Path) -> None:
    settings = small_installation(tmp_path)
    first = publish(settings, run_id="run-one")
    current = settings.published_dir / "current"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{(current / 'marts.duckdb').resolve()}' as published (read_only)")
        before = connection.sql("select count(*) from published.marts.app_usage_month").fetchall()
        with open_warehouse(settings) as warehouse:
            warehouse.execute("insert into marts.app_usage_month (app_id, month) values ('a9', '2022-10')")
            add_usage(warehouse, "2022-10-30", 5)
            open_gates(warehouse, "run-two")
        second = publish(settings, run_id="run-two")
        assert second.version != first.version
        assert connection.sql("select count(*) from published.marts.app_usage_month").fetchall() == before
    with duckdb.connect() as connection:
        connection.execute(f"attach '{(current / 'marts.duckdb').resolve()}' as published (read_only)")
        assert connection.sql("select count(*) from published.marts.app_usage_month").fetchall() == [(4,)]


def test_a_version_can_be_named_for_good(version: PublishedVersion, installation: Settings, tmp_path: Path) -> None:
    pinned = installation.published_dir / version.version / "marts.duckdb"
    shutil.copy(pinned, tmp_path / "report.duckdb")
    with duckdb.connect(str(tmp_path / "report.duckdb"), read_only=True) as connection:
        assert connection.sql("select count(*) from marts.app_usage_month").fetchall() == [(3,)]
