"""A dbt project of a few models, built for real, and a web server that takes its events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from oneledger.lineage.openlineage.reading import event_lines
from oneledger.settings import Settings

CANARY = "canary-7d1f0c-token"

PROJECT = {
    "dbt_project.yml": """
name: small
version: "1.0"
profile: small
model-paths: [models]
seed-paths: [seeds]
macro-paths: [macros]
test-paths: [tests]
flags: {send_anonymous_usage_stats: false}
""",
    "profiles.yml": """
small:
  target: warehouse
  outputs:
    warehouse:
      type: duckdb
      path: "{{ env_var('ONELEDGER_WAREHOUSE') }}"
      threads: 1
      config_options: {autoinstall_known_extensions: false, autoload_known_extensions: false}
""",
    "seeds/app.csv": "app_id,app_name,level\na1,湖州交警,city\na2,遗失声明,county\n",
    "seeds/visit.csv": "app_id,month,visitors\na1,2022-09,30\na1,2022-10,40\na2,2022-10,7\n",
    "models/stg_visit.sql": "{{ config(materialized='view') }} select app_id, month, visitors from {{ ref('visit') }}",
    "models/usage_month.sql": """
{{ config(materialized='incremental', incremental_strategy='append') }}
with visits as (
    select app_id, month, sum(visitors) as visitors_count from {{ ref('stg_visit') }}
    {% if is_incremental() %}where month > (select max(month) from {{ this }}){% endif %}
    group by app_id, month
)
select
    visits.app_id,
    app.app_name as name,
    visits.month,
    visits.visitors_count,
    case when app.level = 'city' then visits.visitors_count * 2 end as weighted_count
from visits
left join {{ ref('app') }} as app on visits.app_id = app.app_id
""",
    "models/properties.yml": """
models:
  - name: usage_month
    description: One row per app and month.
    config: {meta: {owner: 市大数据局}}
    columns:
      - name: app_id
        description: the app
        data_tests:
          - not_null
          - relationships: {arguments: {to: ref('app'), field: app_id}}
      - name: visitors_count
        description: visitors, summed over the month
seeds:
  - name: app
    config: {column_types: {app_id: varchar}}
    columns:
      - name: app_id
        data_tests: [unique]
""",
    "tests/every_app_is_used.sql": """
select app.app_id from {{ ref('app') }} as app
left join {{ ref('stg_visit') }} as visit on app.app_id = visit.app_id where visit.app_id is null
""",
    "tests/the_clock_goes.sql": "select 1 where current_date < date '2020-01-01'",
}


def make_project(folder: Path, project_root: Path) -> Settings:
    """Write the project; with the macro of the real one that tells what an incremental model wrote."""
    macro = project_root / "dbt_project" / "macros" / "rows_written.sql"
    for name, content in {**PROJECT, "macros/rows_written.sql": macro.read_text(encoding="utf-8")}.items():
        path = folder / "checkout" / "dbt_project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return Settings(home=folder / "home", project_root=folder / "checkout", memory_limit="1GB", threads=1)


def change(settings: Settings, name: str, content: str) -> None:
    """Replace one file of the project."""
    (settings.dbt_project_dir / name).write_text(content, encoding="utf-8")


def events_of(settings: Settings, run_id: str) -> list[dict[str, Any]]:
    """The events that a run left in the files."""
    return [line.event for line in event_lines(settings) if line.event is not None and line.run_id == run_id]


def last_of(events: list[dict[str, Any]], job: str) -> dict[str, Any]:
    """The last event of the one job whose name ends like this."""
    found = [event for event in events if event["job"]["name"].endswith(job)]
    assert found, sorted({event["job"]["name"] for event in events})
    return found[-1]


class Receiver(ThreadingHTTPServer):
    """Takes events as Marquez does; ``answer`` is the status that it gives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.events: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.paths: set[str] = set()
        self.answer = 201

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Post(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.add(self.path)
        self.server.keys.add(self.headers.get("Authorization", ""))
        if self.server.answer < 300:
            self.server.events.append(json.loads(body))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The test's output is not its log."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
