"""A warehouse of twelve days of usage and a small registry, as admission leaves it, all of it good."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.warehouse.admitted_tables import create_admitted_tables
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables

FIRST_DAY = dt.date(2022, 10, 20)
LAST_DAY = dt.date(2022, 10, 31)
APPS = 40


def admit_batch(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    entity: str,
    business_on: dt.date,
    rows: int,
    *,
    revision: int = 1,
    quarantined: int = 0,
    control_total: int | None = None,
    delivery: str = "partition",
) -> str:
    """Note a batch as admitted; returns its id. The rows themselves are put in by the caller."""
    partition = f"{business_on:%Y%m%d}"
    batch_id = f"{source}.{entity}.{partition}.r{revision:03d}"
    connection.execute(
        "insert into control.batch values (?, ?, ?, ?, ?, ?, ?, ?, ?, null, now()::timestamp, 't', 'h', true,"
        " now()::timestamp, null, null, null)",
        [batch_id, source, entity, partition, revision, business_on, delivery, rows, control_total],
    )
    connection.execute(
        "delete from control.admitted_batch where source = ? and entity = ? and partition = ?",
        [source, entity, partition],
    )
    connection.execute(
        "insert into control.admitted_batch values (?, ?, ?, ?, ?, ?, 'c', ?, ?, ?, 0, 0, 'run', now()::timestamp)",
        [batch_id, source, entity, partition, revision, business_on, rows, rows - quarantined, quarantined],
    )
    connection.execute(
        "insert into quarantine.row select 'run', ?, ?, ?, ? || '/f.csv.gz', 1000 + i, 'app_id', '', 'required', '空',"
        " 'empty', '补', 'fill', '{}', now()::timestamp, null from range(?) as t (i)",
        [source, entity, batch_id, batch_id, quarantined],
    )
    return batch_id


def add_usage_day(
    connection: duckdb.DuckDBPyConnection, day: dt.date, *, apps: int = APPS, revision: int = 1, **counts: int
) -> str:
    """One daily delivery of zheliban: each app on one end, in place of what the day held before."""
    connection.execute("delete from admitted.usage where usage_on = ?", [day])
    batch_id = admit_batch(connection, "zheliban", "usage", day, apps, revision=revision, **counts)
    connection.execute(
        "insert into admitted.usage by name select 'zheliban' as source, 'app-' || i as app_id,"
        " 'zheliban_app' as release_end, 'day' as period_grain, ?::date as usage_on,"
        " (100 + 7 * i + dayofmonth(?::date))::bigint as visitors_count, false as _is_omitted, ? as _batch_id,"
        " ? || '/f.csv.gz' as _file_id, i + 1 as _row_number, ?::date as _business_on from range(?) as t (i)",
        [day, day, batch_id, batch_id, day, apps - counts.get("quarantined", 0)],
    )
    connection.execute("insert or ignore into control.pending_date values ('usage', ?)", [day])
    return batch_id


def add_registry(connection: duckdb.DuckDBPyConnection, day: dt.date, apps: int = APPS) -> None:
    batch_id = admit_batch(connection, "irs", "app", day, apps, delivery="changes", control_total=apps)
    connection.execute(
        "insert into admitted.irs__app by name select 'app-' || i as app_id, 'name ' || i as app_name,"
        " 'service' as side, 'major_application' as family, 'd-1' as department_id, 'city' as level,"
        " '330500' as district_code, date '2021-01-01' as registered_on, false as is_key_app,"
        " false as is_province_assigned, false as has_standalone_app, timestamp '2021-01-01' as updated_at,"
        " ? as _batch_id, ? || '/p1.json' as _file_id, i + 1 as _row_number, ?::date as _business_on"
        " from range(?) as t (i)",
        [batch_id, batch_id, day, apps],
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    catalogue_path = PROJECT_ROOT / "config" / "sources.yml"
    return Settings(home=tmp_path, memory_limit="1GB", threads=2, catalogue_paths=(catalogue_path,))


@pytest.fixture
def catalogue(settings: Settings) -> Catalogue:
    return load_catalogue(settings)


@pytest.fixture
def warehouse(settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a home whose warehouse is good in every respect that the sources gate looks at."""
    monkeypatch.setenv("AIRFLOW_CONN_ONELEDGER_ZHELIBAN_DROP", "file:///drops")
    for name in ("IRS", "PROJECT_LIBRARY", "ZHEZHENGDING_DROP", "FINANCE_DROP"):
        monkeypatch.delenv(f"AIRFLOW_CONN_ONELEDGER_{name}", raising=False)
    with open_warehouse(settings) as connection:
        create_control_tables(connection)
        create_admitted_tables(connection, catalogue)
        add_registry(connection, LAST_DAY)
        for offset in range((LAST_DAY - FIRST_DAY).days + 1):
            add_usage_day(connection, FIRST_DAY + dt.timedelta(days=offset), control_total=APPS)
    return settings
