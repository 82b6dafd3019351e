"""A warehouse with a few apps and their daily usage, built by the real dbt project in this process."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from oneledger.settings import PROJECT_ROOT
from tests.models_projects.small_warehouse import SmallWarehouse

AS_OF = dt.date(2022, 10, 31)
FIRST_DAY = dt.date(2022, 5, 1)
APPS = (
    # app, side, level, department, first listed, ends
    (
        "traffic",
        "service",
        "city",
        "police",
        dt.date(2021, 3, 1),
        ("zheliban_app", "zheliban_wechat", "standalone_app"),
    ),
    ("lost", "service", "city", "police", dt.date(2021, 3, 1), ("zheliban_app",)),
    ("desk", "governance", "city", "police", dt.date(2021, 3, 1), ("zhezhengding",)),
    ("county", "service", "county", "village", dt.date(2021, 3, 1), ("zheliban_app",)),
)
VISITORS_A_DAY = {"traffic": 40, "lost": 3, "desk": 8, "county": 20}
# What the evaluation needs besides usage.
DELIVERIES = (
    "irs.listing_event", "irs.sharing_request", "irs.data_resource", "irs.security_notice", "irs.module",
    "irs.interface_call", "project_library.app_link", "project_library.project",
)  # fmt: skip
# What the nightly builds of usage; projects, sharing and funding have their own tests.
USAGE_MODELS = "+path:models/marts/usage +path:models/marts/apps +path:models/evaluation"


class UsageCity(SmallWarehouse):
    """``admit_usage`` delivers days, ``build`` runs dbt, ``rows`` asks the warehouse."""

    def build(self, *arguments: str, select: str = USAGE_MODELS) -> str:
        """Build models, seeds and data tests; raises AssertionError with dbt's messages when one fails."""
        project = str(PROJECT_ROOT / "dbt_project")
        environment = {
            "ONELEDGER_WAREHOUSE": str(self.path),
            "ONELEDGER_THREADS": "2",
            "ONELEDGER_DUCKDB_MEMORY": "1GB",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            result = dbtRunner().invoke([
                "--quiet", "--log-level", "none", "--no-use-colors", "build", "--exclude-resource-type", "unit_test",
                "--project-dir", project, "--profiles-dir", project, "--target-path", str(self.folder / "target"),
                "--log-path", str(self.folder / "logs"), *(["--select", *select.split()] if select else []), *arguments,
            ])  # fmt: skip
        finally:
            if DuckDBConnectionManager._ENV is not None:
                DuckDBConnectionManager._ENV.close()
            DuckDBConnectionManager.close_all_connections()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name)
                else:
                    os.environ[name] = value
        failures = [
            f"{one.node.name}: {one.message}"
            for one in getattr(result.result, "results", None) or []
            if str(one.status) in ("error", "fail")
        ]
        if result.exception or failures:
            raise AssertionError("\n".join(failures) or str(result.exception))
        return "\n".join(str(one.status) for one in result.result.results)

    def execute(self, statement: str, parameters: Iterable[Any] = ()) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(statement, list(parameters))

    def admit_usage(self, app_id: str, release_end: str, first: dt.date, last: dt.date, visitors: int) -> None:
        """Admit one app-level and one module row a day, replacing what stands there, as admission does."""
        parameters = {"app": app_id, "end": release_end, "first": first, "last": last, "visitors": visitors}
        source = "zhezhengding" if release_end == "zhezhengding" else "zheliban"
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(
                "delete from admitted.usage where app_id = $app and release_end = $end"
                " and usage_on between $first and $last",
                {key: parameters[key] for key in ("app", "end", "first", "last")},
            )
            connection.execute(
                f"""
                insert into admitted.usage by name
                select
                    '{source}' as source, $app as app_id, module as module_id, $end as release_end,
                    'day' as period_grain, cast(day as date) as usage_on,
                    cast($visitors as bigint) as visitors_count, cast($visitors as bigint) * 2 as page_views_count,
                    cast($visitors as bigint) as starts_count, cast($visitors as bigint) // 2 as completions_count,
                    case when $end = 'zhezhengding' and module is null then cast($visitors as bigint) end
                        as active_users_count,
                    case when $end = 'zhezhengding' and module is null then cast(100 as bigint) end
                        as provisioned_users_count,
                    cast(1 as bigint) as rating_4_count, cast(0 as bigint) as rating_1_count,
                    cast(0 as bigint) as rating_2_count, cast(0 as bigint) as rating_3_count,
                    cast(1 as bigint) as rating_5_count,
                    'batch' as _batch_id, 'batch/file' as _file_id, 1 as _row_number, cast(day as date) as _business_on
                from generate_series($first::date, $last::date, interval 1 day) as days (day),
                    (select unnest([null, $app || '-m1']) as module)
                """,
                parameters,
            )
            connection.execute(
                "insert or ignore into control.pending_date select 'usage', cast(day as date)"
                " from generate_series(?::date, ?::date, interval 1 day) as days (day)",
                [first, last],
            )

    def withdraw_usage(self, first: dt.date, last: dt.date) -> None:
        """A redelivery without any row of these days."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("delete from admitted.usage where usage_on between ? and ?", [first, last])
            connection.execute(
                "insert or ignore into control.pending_date select 'usage', cast(day as date)"
                " from generate_series(?::date, ?::date, interval 1 day) as days (day)",
                [first, last],
            )

    def publish(self) -> None:
        """What publishing does for the models: nothing is pending any more."""
        self.execute("delete from control.pending_date")

    def set_newest_day(self, day: dt.date) -> None:
        self.execute("delete from control.admitted_batch")
        self.execute(
            "insert into control.admitted_batch values (?, 'zheliban', 'usage', ?, 1, ?, 'h', 1, 1, 0, 0, 0, 'r', ?)",
            [f"zheliban.usage.{day:%Y%m%d}.r001", f"{day:%Y%m%d}", day, dt.datetime(2022, 11, 1)],
        )

    def deliver(self, *deliveries: str, newest_on: dt.date = AS_OF) -> None:
        """Note that sources such as ``irs.module`` have delivered up to a day."""
        for delivery in deliveries:
            source, entity = delivery.split(".")
            self.execute(
                "insert or replace into control.source_state values (?, ?, ?, 'batch', 1, 1, ?, 50)",
                [source, entity, newest_on, dt.datetime(2022, 11, 1)],
            )

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of every mart and evaluation table, sorted."""
        tables = self.rows(
            "select schema_name, table_name from duckdb_tables() where schema_name in ('marts', 'evaluation')"
        )
        return {f"{schema}.{table}": sorted(self.rows(f"from {schema}.{table}"), key=repr) for schema, table in tables}


def small_city(folder: Path) -> UsageCity:
    """Four apps with six months of usage up to 31 October 2022; nothing is built yet."""
    city = UsageCity(folder)
    city.set_newest_day(AS_OF)
    city.deliver(*DELIVERIES)
    city.admit(
        "irs__department",
        {"department_id": "police", "department_name": "公安局", "department_kind": "municipal_department",
         "level": "city", "district_code": "330500"},
        {"department_id": "village", "department_name": "社会工作部", "department_kind": "county_department",
         "level": "county", "district_code": "330521"},
    )  # fmt: skip
    for app_id, side, level, department, listed_on, ends in APPS:
        city.admit(
            "irs__app",
            {"app_id": app_id, "app_name": app_id, "side": side, "level": level, "department_id": department,
             "registered_on": dt.date(2021, 1, 1), "family": "application_system", "district_code": "330500",
             "is_key_app": False, "is_province_assigned": False, "has_standalone_app": "standalone_app" in ends},
        )  # fmt: skip
        city.admit("irs__module", {"module_id": f"{app_id}-m1", "app_id": app_id, "module_name": "办理",
                                   "module_kind": "matter"})  # fmt: skip
        for end in ends:
            city.admit(
                "irs__listing_event",
                {"listing_event_id": f"{app_id}-{end}", "app_id": app_id, "release_end": end, "event_kind": "listed",
                 "event_on": listed_on},
            )  # fmt: skip
            city.admit_usage(app_id, end, FIRST_DAY, AS_OF, VISITORS_A_DAY[app_id])
    city.admit(
        "irs__promotion_event",
        {"promotion_event_id": "t1", "event_name": "第1期", "held_on": dt.date(2022, 7, 15), "viewers_count": 100,
         "app_ids": "traffic;lost"},
    )  # fmt: skip
    return city
