"""A small installation that publishes on the days that a test names, with batches, keys and ancestors of its marts."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pytest

from oneledger.publishing.publish import publish
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables
from oneledger.warehouse.model_grains import ModelGrain, keep_grains
from tests.publishing.conftest import open_gates

TABLES = """
create table marts.fct_app_usage_day (usage_on date, source varchar, app_id varchar, module_id varchar,
    release_end varchar, visitors_count bigint, _batch_id varchar);
create view marts.app_usage_month as select app_id, release_end, date_trunc('month', usage_on)::date as month,
    sum(visitors_count)::bigint as visitors_count from marts.fct_app_usage_day group by all;
create table marts.dim_app (app_id varchar, app_name varchar);
insert into marts.dim_app select 'a' || i, 'app ' || i from range(5) as t (i);
create table marts.run_outcome (outcome_id varchar, run_id varchar, step varchar, verdict varchar,
    started_at timestamp);
create view evaluation.app_stars as select 'round' as run_id, app_id,
    case when sum(visitors_count) > 1000 then 5 end as stars, sum(visitors_count)::double as score,
    'scored' as status from marts.fct_app_usage_day group by all;
create view marts.published_figure as select 'visitors' as figure_id, '访客数' as title_zh, 'Visitors' as title_en,
    500.0::double as published_value, sum(visitors_count)::double as computed_value,
    'marts.fct_app_usage_day' as mart, 'true' as filter from marts.fct_app_usage_day;
create table marts.rectification (list_year integer, finding_number integer, state varchar);
"""
GRAINS = (
    ModelGrain("marts.fct_app_usage_day", False, (), ("admitted.usage",), "1"),
    ModelGrain("marts.app_usage_month", False, ("app_id", "release_end", "month"), ("marts.fct_app_usage_day",), "1"),
    ModelGrain("marts.dim_app", False, ("app_id",), ("admitted.irs__app", "intermediate.int_as_of"), "1"),
    ModelGrain("intermediate.int_as_of", False, (), ("admitted.usage",), "1"),
    ModelGrain(
        "evaluation.app_stars", False, ("run_id", "app_id"), ("marts.fct_app_usage_day", "evaluation.band"), "1"
    ),
    ModelGrain("evaluation.band", True, (), (), "1"),
    ModelGrain("marts.published_figure", False, ("figure_id",), ("marts.fct_app_usage_day", "marts.dim_app"), "1"),
)


@dataclass
class History:
    """One installation; its days are the test's."""

    settings: Settings
    monkeypatch: pytest.MonkeyPatch
    runs: int = 0

    @contextmanager
    def warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_warehouse(self.settings) as connection:
            yield connection

    def deliver(
        self,
        day: str,
        visitors: int,
        revision: int = 1,
        apps: tuple[str, ...] = ("a0", "a1", "a2"),
        source: str = "zheliban",
    ) -> str:
        """Admit a batch of one day that replaces the day's batch before; each app has ``visitors`` of it."""
        source, partition = "zheliban", day.replace("-", "")
        batch_id = f"{source}.usage.{partition}.r{revision:03d}"
        with self.warehouse() as connection:
            connection.execute("delete from marts.fct_app_usage_day where usage_on = ? and source = ?", [day, source])
            connection.execute(
                "insert into marts.fct_app_usage_day select ?::date, ?, app, '', ?, ?, ? from unnest(?) as t (app)",
                [day, source, f"{source}_app", visitors, batch_id, list(apps)],
            )
            connection.execute("insert or ignore into control.pending_date values ('usage', ?)", [day])
        self.note(source, "usage", partition, revision, day)
        return batch_id

    def note(self, source: str, entity: str, partition: str, revision: int, day: str) -> str:
        """Enter a batch as admitted in place of the one before."""
        batch_id = f"{source}.{entity}.{partition}.r{revision:03d}"
        with self.warehouse() as connection:
            connection.execute(
                "delete from control.admitted_batch where source = ? and entity = ? and partition = ?",
                [source, entity, partition],
            )
            connection.execute(
                "insert into control.admitted_batch values (?, ?, ?, ?, ?, ?, 'c', 3, 3, 0, 0, 0, 'run',"
                " now()::timestamp)",
                [batch_id, source, entity, partition, revision, day],
            )
        return batch_id

    def execute(self, sql: str) -> None:
        with self.warehouse() as connection:
            connection.execute(sql)

    def change_code(self, *relations: str) -> None:
        """The next version was built with other SQL, or other rules, of these relations."""
        (self.settings.dbt_project_dir / "models" / f"{self.runs}.sql").write_text("select 1", encoding="utf-8")
        with self.warehouse() as connection:
            keep_grains(
                connection, [replace(one, code_hash="2") if one.relation in relations else one for one in GRAINS]
            )

    def publish(self, at: str) -> PublishedVersion:
        """Publish at an instant (ISO 8601 with offset)."""
        self.runs += 1
        instant = dt.datetime.fromisoformat(at).astimezone(dt.UTC)
        with self.warehouse() as connection:
            open_gates(connection, f"run-{self.runs}")
        self.monkeypatch.setattr("oneledger.publishing.build.utc_now", lambda: instant)
        return publish(self.settings, run_id=f"run-{self.runs}")


def start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """An installation with September and October 2022 in its warehouse, nothing published."""
    project = folder / "project"
    for name in ("models", "macros", "seeds"):
        (project / "dbt_project" / name).mkdir(parents=True)
    (project / "config").mkdir()
    shutil.copy(PROJECT_ROOT / "config" / "retention.yml", project / "config")
    history = History(
        Settings(
            home=folder / "home", project_root=project, memory_limit="1GB", threads=2,
            catalogue_paths=(PROJECT_ROOT / "config" / "sources.yml",),
        ),
        monkeypatch,
    )  # fmt: skip
    with history.warehouse() as connection:
        create_control_tables(connection)
        connection.execute(TABLES)
    history.change_code()
    history.deliver("2022-09-29", 10)
    history.deliver("2022-09-30", 20)
    history.deliver("2022-10-01", 30)
    history.note("irs", "app", "20221001", 1, "2022-10-01")
    return history
