"""A small town whose night costs a second or two: four sources of three kinds, seven models, two gates, all real.

The registry is an HTTP API of several pages, the library a database, the portal and the desk folders of daily files.
Everything is a function of the day, so that a night can be repeated and each version's figures are known. On the last
day of a night a file of an earlier day comes again with other rows, and one row of the new file is broken.
"""

from __future__ import annotations

import datetime as dt
import http.server
import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from oneledger.settings import PROJECT_ROOT

FIRST_DAY = dt.date(2022, 10, 20)
APPS = 24
PAGE_ROWS = 10
# A file of the desk is copied in two pieces, so that it can be half there: it is longer than a mebibyte.
DESK_MODULES = 1100
# An answer is written to the disk in several pieces, so that it can be cut off between two of them.
_FILLING = "登记说明 " * 1600

CATALOGUE = """\
version: 1
sources:
  registry:
    title_zh: 登记
    title_en: Registry
    owner: 登记处
    connector: http
    connection: town_registry
    http: {timeout_seconds: 5, attempts: 2, first_wait_seconds: 0.02, records: items, cursor: nextCursor, total: total}
    defaults: {delivery: changes, max_age_hours: 1200}
    entities:
      app:
        title_zh: 应用
        title_en: Apps
        path: /v1/apps
        limit: 10
        natural_key: [app_id]
        updated_at: updated_at
        columns:
          app_id: {from: appId, type: text, required: true}
          app_name: {from: appName, type: text}
          note: {from: note, type: text}
          updated_at: {from: updatedAt, type: timestamp, required: true}
  library:
    title_zh: 项目库
    title_en: Library
    owner: 项目处
    connector: sql
    connection: town_library
    defaults: {delivery: full, max_age_hours: 1200}
    entities:
      project:
        title_zh: 项目
        title_en: Projects
        table: project
        natural_key: [project_id]
        columns:
          project_id: {from: id, type: text, required: true}
          app_id: {from: app, type: text}
          budget_cny: {from: budget, type: decimal}
  portal:
    title_zh: 门户
    title_en: Portal
    owner: 门户处
    connector: delimited
    connection: town_portal
    defaults: {delivery: partition, max_age_hours: 1200}
    entities:
      usage:
        title_zh: 使用情况
        title_en: Usage
        conforms_to: usage
        files: {pattern: 'portal_(?P<business_date>\\d{8})\\.csv'}
        columns: &usage
          usage_on: {from: day, type: date}
          app_id: {from: app}
          module_id: {from: module}
          release_end: {from: end}
          visitors_count: {from: visitors}
  desk:
    title_zh: 工作台
    title_en: Desk
    owner: 工作台处
    connector: delimited
    connection: town_desk
    defaults: {delivery: partition, max_age_hours: 1200}
    entities:
      usage:
        title_zh: 使用情况
        title_en: Usage
        conforms_to: usage
        files: {pattern: 'desk_(?P<business_date>\\d{8})\\.csv'}
        columns: *usage
"""
GATES = {
    "sources.yml": """\
checks:
  - id: batch_counts
    severity: fail
    owner: source
    title_zh: 各批次行数相符
    title_en: The counts of each batch add up
    expected: received = accepted + quarantined + superseded
    observed: "{batch_id}: {received_count} received"
    remedy_zh: 重跑
    remedy_en: run again
    evidence: |
      select entity, batch_id, received_count,
          received_count - accepted_count - quarantined_count - superseded_count as difference from new_batch
    expectation: {type: expect_column_values_to_be_in_set, column: difference, value_set: [0]}
""",
    "marts.yml": """\
checks:
  - id: month_equals_days
    severity: fail
    owner: source
    title_zh: 月表等于日表之和
    title_en: Monthly usage equals the sum of daily usage
    expected: the same sum
    observed: "{difference} visitors"
    remedy_zh: 重跑
    remedy_en: run again
    evidence: |
      select 'app_usage_month' as entity, (select sum(visitors_count) from marts.fct_app_usage_day)
          - (select sum(visitors_count) from marts.app_usage_month) as difference
    expectation: {type: expect_column_values_to_be_in_set, column: difference, value_set: [0]}
""",
    "tolerated.yml": "tolerated: []\n",
}
MODELS = {
    "sources.yml": """\
version: 2
sources:
  - {name: admitted, schema: admitted, tables: [{name: usage}, {name: registry__app}, {name: library__project}]}
  - name: control
    schema: control
    tables: [{name: admitted_batch}, {name: pending_date}, {name: outcome}]
""",
    "models.yml": """\
version: 2
models:
  - name: mart_app_usage_month
    columns: [{name: app_id, data_tests: [not_null]}]
  - name: dim_project
    columns: [{name: project_id, data_tests: [unique]}]
""",
    "staging/stg_usage.sql": """\
select source, app_id, module_id, release_end, usage_on, visitors_count, _batch_id, _file_id, _row_number
from {{ source('admitted', 'usage') }}
""",
    "intermediate/int_as_of.sql": "select cast({{ as_of_on() }} as date) as as_of_on\n",
    "intermediate/int_app_usage_month.sql": """\
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ delete_pending_months() }}") }}
{% set months = pending_months() if is_incremental() else none -%}
select app_id, release_end, cast(date_trunc('month', usage_on) as date) as month, count(*) as rows_count,
    cast(sum(visitors_count) as bigint) as visitors_count
from {{ ref('stg_usage') }}
where {{ is_in_months('usage_on', months) }}
group by all
""",
    "marts/fct_app_usage_day.sql": "{{ config(materialized='view') }}\nselect * from {{ ref('stg_usage') }}\n",
    "marts/mart_app_usage_month.sql": "select * from {{ ref('int_app_usage_month') }}\n",
    "marts/dim_app.sql": """\
select app.app_id, app.app_name, app.updated_at, band.band
from {{ source('admitted', 'registry__app') }} as app
left join {{ ref('name_band') }} as band on length(app.app_name) between band.lowest and band.highest
""",
    "marts/dim_project.sql": """\
select project.project_id, project.app_id, project.budget_cny, as_of.as_of_on
from {{ source('admitted', 'library__project') }} as project cross join {{ ref('int_as_of') }} as as_of
where not project._is_omitted
""",
    "marts/mart_town.sql": """\
select
    (select as_of_on from {{ ref('int_as_of') }}) as as_of_on,
    (select sum(visitors_count) from {{ ref('mart_app_usage_month') }}) as visitors_count,
    (select count(*) from {{ ref('dim_app') }}) as apps_count,
    (select sum(budget_cny) from {{ ref('dim_project') }}) as budget_cny
""",
    "marts/mart_run_outcome.sql": "select * from {{ source('control', 'outcome') }}\n",
}
SEED = "lowest,highest,band\n0,4,short\n5,99,long\n"


@dataclass(frozen=True)
class Town:
    """Its folder: ``project`` (catalogue, models, gates), ``sources`` (what departments deliver), ``home``."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def portal(self) -> Path:
        return self.folder / "sources" / "portal"

    @property
    def desk(self) -> Path:
        return self.folder / "sources" / "desk"

    @property
    def library(self) -> Path:
        return self.folder / "sources" / "library.db"

    @property
    def registry_day(self) -> Path:
        return self.folder / "sources" / "registry_day.txt"

    @property
    def home(self) -> Path:
        """Always the same place: dbt remembers the project that it parsed with every path in it."""
        return self.folder / "home"

    def write_project(self) -> None:
        """The project that the town's installation runs: its own models, the product's macros."""
        dbt = self.project / "dbt_project"
        shutil.copytree(PROJECT_ROOT / "dbt_project" / "macros", dbt / "macros")
        # What speaks of tables that the town has not.
        for name in ("finding_metrics", "metrics", "promotion", "published_figures", "rules", "newest_data_at",
                     "changed_call_months"):  # fmt: skip
            (dbt / "macros" / f"{name}.sql").unlink(missing_ok=True)
        shutil.copy(PROJECT_ROOT / "dbt_project" / "profiles.yml", dbt)
        (dbt / "dbt_project.yml").write_text(_DBT_PROJECT, "utf-8")
        contents = {f"dbt_project/models/{name}": text for name, text in MODELS.items()}
        contents |= {f"expectations/{name}": text for name, text in GATES.items()}
        contents |= {"dbt_project/seeds/name_band.csv": SEED, "config/town.yml": CATALOGUE}
        for name, text in contents.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        shutil.copy(PROJECT_ROOT / "config" / "sources.yml", self.project / "config")
        shutil.copy(PROJECT_ROOT / "config" / "retention.yml", self.project / "config")
        # Only the shapes are the product's; its sources are those of a city.
        text = (self.project / "config" / "sources.yml").read_text("utf-8")
        # They refer to apps and modules of IRS, which the town has not.
        shapes = text[: text.index("    # A portal may know an app before IRS does")] + "\nsources: {}\n"
        (self.project / "config" / "sources.yml").write_text(shapes, "utf-8")

    def deliver(self, day: dt.date) -> None:
        """Everything that the departments have brought by this day."""
        for folder in (self.portal, self.desk):
            folder.mkdir(parents=True, exist_ok=True)
        number = (day - FIRST_DAY).days
        self._file(self.portal / f"portal_{day:%Y%m%d}.csv", day, "zheliban_app", is_broken=True)
        self._file(self.desk / f"desk_{day:%Y%m%d}.csv", day, "zhezhengding", modules=DESK_MODULES)
        if number >= 2:
            earlier = day - dt.timedelta(days=2)
            self._file(self.portal / f"portal_{earlier:%Y%m%d}.csv", earlier, "zheliban_app", more=50)
        self.registry_day.write_text(day.isoformat(), "utf-8")
        # A file beside it and then its name: a night may be reading the one before.
        fresh = self.library.with_suffix(".fresh")
        fresh.unlink(missing_ok=True)
        with sqlite3.connect(fresh) as database:
            database.execute("create table project (id text primary key, app text, budget numeric)")
            database.executemany(
                "insert into project values (?, ?, ?)",
                [(f"p{one:03d}", f"app-{one % APPS:02d}", 1000 * one + number) for one in range(60 + number)],
            )
        database.close()
        fresh.replace(self.library)

    def _file(
        self, path: Path, day: dt.date, end: str, *, modules: int = 1, more: int = 0, is_broken: bool = False
    ) -> None:
        number = (day - FIRST_DAY).days
        lines = [
            f"{day},app-{app:02d},module-{module:04d},{end},{100 + 7 * app + 3 * number + module % 5 + more}"
            for app in range(APPS)
            for module in range(modules)
        ]
        if is_broken:
            lines[3] = f"{day},app-03,module-0000,{end},many"
        # As with the library, a night may be reading the one before.
        fresh = path.with_name(f".{path.name}")
        fresh.write_text("\n".join(["day,app,module,end,visitors", *lines]) + "\n", "utf-8")
        fresh.replace(path)

    def environment(self, day: dt.date, address: str) -> dict[str, str]:
        """What stands in the environment of `oneledger` for the night of this day."""
        return {
            "ONELEDGER_HOME": str(self.home),
            "ONELEDGER_PROJECT_ROOT": str(self.project),
            "ONELEDGER_CATALOGUE": f"{self.project / 'config/sources.yml'}:{self.project / 'config/town.yml'}",
            "ONELEDGER_AS_OF": day.isoformat(),
            "ONELEDGER_THREADS": "2",
            "ONELEDGER_MEMORY_LIMIT": "2GB",
            "AIRFLOW_CONN_TOWN_REGISTRY": f"http://{address}",
            "AIRFLOW_CONN_TOWN_LIBRARY": f"sqlite:///{self.library}",
            "AIRFLOW_CONN_TOWN_PORTAL": self.portal.as_uri(),
            "AIRFLOW_CONN_TOWN_DESK": self.desk.as_uri(),
        }


_DBT_PROJECT = """\
name: oneledger
version: "1.0.0"
config-version: 2
profile: oneledger
model-paths: [models]
seed-paths: [seeds]
macro-paths: [macros]
flags: {send_anonymous_usage_stats: false, use_colors: false}
models:
  oneledger:
    staging: {+schema: staging, +materialized: view}
    intermediate: {+schema: intermediate, +materialized: table}
    marts: {+schema: marts, +materialized: table}
seeds:
  oneledger: {+schema: intermediate, +full_refresh: true}
"""


def records_of(day: dt.date) -> list[dict[str, object]]:
    """The registry's records as of a day: each day two apps come and a third of the others changes."""
    number = (day - FIRST_DAY).days
    records: list[dict[str, object]] = []
    for app in range(APPS + 2 * number):
        changed = max(one for one in range(number + 1) if one == 0 or one % 3 == app % 3 or app >= APPS + 2 * one - 2)
        at = dt.datetime.combine(FIRST_DAY + dt.timedelta(days=changed), dt.time(12, app % 60))
        records.append({"appId": f"app-{app:02d}", "appName": f"应用{app}v{changed}", "note": _FILLING,
                        "updatedAt": at.isoformat()})  # fmt: skip
    return sorted(records, key=lambda one: (str(one["updatedAt"]), str(one["appId"])))


class _Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        day = dt.date.fromisoformat(Path(sys.argv[1]).read_text("utf-8"))
        since = query.get("updated_since", "")
        found = [one for one in records_of(day) if str(one["updatedAt"]) >= since]
        start = int(query.get("cursor", "0"))
        following = start + PAGE_ROWS
        body = json.dumps({
            "items": found[start:following], "nextCursor": str(following) if following < len(found) else None,
            "total": len(found),
        }, ensure_ascii=False).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


class _Server(http.server.ThreadingHTTPServer):
    """Says nothing of an asker that was killed in the middle of its question; everything else it tells."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Registry:
    """The registry as a process of its own, on one port for good; it can be taken away and brought back."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._process: subprocess.Popen[str] | None = None
        self._port = "0"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve until ``stop``: at the address of before, or at another one when somebody else took that meanwhile."""
        self.stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.town", str(self._town.registry_day), self._port],
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT_ROOT,
        )
        assert self._process.stdout is not None
        self._port = self._process.stdout.readline().strip()
        if not self._port:
            raise RuntimeError("the registry of the town did not start")

    def stop(self) -> None:
        """Gone from one moment to the next, in the middle of an answer."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def main() -> None:
    """Serve the registry: the file that holds its day, and a port."""
    try:
        server = _Server(("127.0.0.1", int(sys.argv[2])), _Registry)
    except OSError:
        server = _Server(("127.0.0.1", 0), _Registry)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
