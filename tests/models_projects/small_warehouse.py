"""A warehouse of a few admitted rows, built by the real dbt project."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

from oneledger.catalogue import load_catalogue
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.warehouse.admitted_tables import create_admitted_tables
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables

OURS = ("projects", "sharing", "funding", "governance")


class SmallWarehouse:
    """Admitted tables of the shipped catalogue; rows are given as dicts, what is left out is null."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = Settings(
            home=folder, catalogue_paths=(PROJECT_ROOT / "config" / "sources.yml",), memory_limit="1GB", threads=2
        )
        self.path = settings.warehouse_path
        with open_warehouse(settings) as connection:
            create_control_tables(connection)
            create_admitted_tables(connection, load_catalogue(settings))

    def admit(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows into ``admitted.<table>`` with an identity of their own."""
        with duckdb.connect(str(self.path)) as connection:
            columns = [
                name
                for (name,) in connection.execute(
                    "select column_name from duckdb_columns() where schema_name = 'admitted' and table_name = ?",
                    [table],
                ).fetchall()
            ]
            defaults: dict[str, Any] = {"_batch_id": "b", "_file_id": "b/f", "_is_omitted": False}
            for number, row in enumerate(rows, start=1):
                full = {**defaults, "_row_number": number, **row}
                names = [name for name in full if name in columns]
                unknown = set(row) - set(columns)
                if unknown:
                    raise ValueError(f"admitted.{table} has no column {', '.join(sorted(unknown))}")
                connection.execute(
                    f"insert into admitted.{table} ({', '.join(names)}) values ({', '.join('?' * len(names))})",
                    [full[name] for name in names],
                )

    def set_as_of(self, day: dt.date) -> None:
        """Admit one empty batch of a daily source: its day is the day as of which the models compute."""
        self.admit(
            "usage",
            {"source": "zheliban", "app_id": "any", "release_end": "zheliban_app", "period_grain": "day",
             "usage_on": day},
        )  # fmt: skip
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(
                "insert into control.admitted_batch "
                "values (?, 'zheliban', 'usage', ?, 1, ?, 'h', 1, 1, 0, 0, 0, 'r', ?)",
                [f"zheliban.usage.{day:%Y%m%d}.r001", f"{day:%Y%m%d}", day, dt.datetime(2022, 11, 1)],
            )

    def dbt(self, *arguments: str) -> str:
        """Run dbt on this warehouse and return what it printed; raises when it failed."""
        environment = {
            **os.environ,
            "ONELEDGER_WAREHOUSE": str(self.path),
            "ONELEDGER_THREADS": "2",
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        project = PROJECT_ROOT / "dbt_project"
        finished = subprocess.run(
            [str(Path(sys.executable).parent / "dbt"), *arguments, "--project-dir", str(project),
             "--profiles-dir", str(project)],
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
        if finished.returncode:
            raise AssertionError(f"dbt {' '.join(arguments)} failed:\n{finished.stdout}\n{finished.stderr}")
        return finished.stdout

    def build(self) -> str:
        """Build and test (data tests and unit tests) the models of projects, sharing, funding, governance."""
        return self.dbt("build", "--select", *(f"+path:models/marts/{room}" for room in OURS))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query gives on the warehouse."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(sql).fetchall()
