"""The same models built by dbt, as the nightly does it, and by SQLMesh, which reads the very same dbt project.

Both begin with the same admitted rows in a DuckDB file of their own. *First* builds every seed, model and data test
from nothing; *day* builds them again when the newest day of usage was delivered anew: incremental models replace its
month, the others are made again. Then every table must hold the same rows.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.processes import Measured, measure
from oneledger.settings import load_settings

# Where `make environment NAME=sqlmesh` puts the peer.
SQLMESH = Path(__file__).resolve().parents[1] / ".venvs" / "sqlmesh" / "bin" / "sqlmesh"
_BUILT = ("staging", "intermediate", "marts", "evaluation")
# Tells of runs, of which the two did not have the same.
_OF_RUNS = {"marts.run_outcome"}
# SQLMesh 0.236.4 writes each model's SQL anew: concat_ws then gives null where a part is null; DuckDB leaves it out.
_WRITTEN_ANEW = ["marts.project_app_gap.gap_id"]
_PROFILE = """
oneledger:
  target: warehouse
  outputs:
    warehouse:
      type: duckdb
      path: {path}
      threads: 1
      settings: {{memory_limit: {memory_limit}, preserve_insertion_order: false}}
"""
# SQLMesh dates its plans: a day later there is a new interval, as for a project that runs every night.
_CONFIGURATION = """
model_defaults: {{start: '{start}', dialect: duckdb}}
disable_anonymized_analytics: true
"""
_BUILD = """
from oneledger.outcomes import new_run_id
from oneledger.settings import load_settings
from oneledger.warehouse.models import build_models
outcome = build_models(load_settings(), run_id=new_run_id())
assert outcome.verdict != "failed", outcome.message
"""


@dataclass(frozen=True)
class SameModels:
    """What dbt and SQLMesh took, and how many tables (with rows in all) came out equal."""

    dbt_first: Measured
    dbt_day: Measured
    sqlmesh_first: Measured
    sqlmesh_day: Measured
    tables_count: int
    rows_count: int


def measure_same_models(home: Path, warehouse: Path, *, memory_limit: str, say: Callable[[str], None]) -> SameModels:
    """Build the models of an installation's ``warehouse`` again, in copies under ``home``.

    Raises:
        RuntimeError: SQLMesh is not installed.
        AssertionError: a table differs; the message names it and the counts of rows that only one of them has.
    """
    if not SQLMESH.exists():
        raise RuntimeError("SQLMesh is not installed; `make environment NAME=sqlmesh` installs it")
    ours, theirs = home / "dbt", home / "sqlmesh"
    for folder in (ours, theirs):
        (folder / "warehouse").mkdir(parents=True)
    dbt, sqlmesh = ours / "warehouse" / "warehouse.duckdb", theirs / "warehouse" / "warehouse.duckdb"
    shutil.copyfile(warehouse, dbt)
    _take_away_what_was_built(dbt)
    day = _newest_day(dbt)
    dbt_first = _build(ours, memory_limit)
    say(f"  dbt, all models from nothing: {dbt_first.seconds:.1f} s")
    # Taken from here, so that what both read (records of runs, decided evaluations) is the same.
    shutil.copyfile(dbt, sqlmesh)
    _take_away_what_was_built(sqlmesh)
    project = _project(theirs / "project", sqlmesh, day, memory_limit)
    sqlmesh_first = _plan(project, sqlmesh, day + dt.timedelta(days=1), memory_limit)
    say(f"  SQLMesh, all models from nothing: {sqlmesh_first.seconds:.1f} s")
    _compare(dbt, sqlmesh)
    for database in (dbt, sqlmesh):
        with duckdb.connect(str(database)) as connection:
            connection.execute("insert or ignore into control.pending_date values ('usage', ?)", [day])
    dbt_day = _build(ours, memory_limit)
    say(f"  dbt, the newest day again: {dbt_day.seconds:.1f} s")
    sqlmesh_day = _plan(project, sqlmesh, day + dt.timedelta(days=2), memory_limit, "--run")
    say(f"  SQLMesh, the newest day again: {sqlmesh_day.seconds:.1f} s")
    tables, rows = _compare(dbt, sqlmesh)
    return SameModels(dbt_first, dbt_day, sqlmesh_first, sqlmesh_day, tables, rows)


def _take_away_what_was_built(database: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        for schema in _BUILT:
            connection.execute(f"drop schema if exists {schema} cascade")
        for table in ("model_state", "seed_state", "built_model", "pending_date"):
            connection.execute(f"delete from control.{table}")


def _newest_day(database: Path) -> dt.date:
    with duckdb.connect(str(database), read_only=True) as connection:
        row = connection.execute("select max(usage_on) from admitted.usage where period_grain = 'day'").fetchone()
    assert row is not None
    return dt.date.fromisoformat(str(row[0]))


def _build(home: Path, memory_limit: str) -> Measured:
    """The step ``build_models`` of the nightly as a process of its own."""
    environment = {"ONELEDGER_HOME": str(home), "ONELEDGER_MEMORY_LIMIT": memory_limit}
    return measure([sys.executable, "-c", _BUILD], environment)


def _project(folder: Path, database: Path, day: dt.date, memory_limit: str) -> Path:
    """The dbt project as it is, with a profile that names SQLMesh's file."""
    shutil.copytree(load_settings().dbt_project_dir, folder, ignore=shutil.ignore_patterns("target", "logs"))
    (folder / "profiles.yml").write_text(_PROFILE.format(path=database, memory_limit=memory_limit), "utf-8")
    start = day.replace(day=1)
    (folder / "sqlmesh.yaml").write_text(_CONFIGURATION.format(start=start), "utf-8")
    return folder


def _plan(project: Path, database: Path, now: dt.date, memory_limit: str, *more: str) -> Measured:
    environment = {
        "ONELEDGER_WAREHOUSE": str(database), "ONELEDGER_MEMORY_LIMIT": memory_limit, "ONELEDGER_RUN_ID": "bench",
        "DO_NOT_TRACK": "1", "PATH": f"{SQLMESH.parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    command = [str(SQLMESH), "plan", "prod", *more, "--no-prompts", "--auto-apply", "--skip-tests"]
    return measure([*command, "--execution-time", str(now)], environment, folder=project)


def _compare(dbt: Path, sqlmesh: Path) -> tuple[int, int]:
    """How many tables and rows are equal."""
    different: list[str] = []
    tables = rows = 0
    with duckdb.connect() as connection:
        # SQLMesh's views name the catalogue that the file had when they were made.
        connection.execute(f"attach '{dbt}' as by_dbt (read_only)")
        connection.execute(f"attach '{sqlmesh}' as warehouse (read_only)")
        # Sums of fractions depend in their last digits on the order of adding.
        found = connection.execute(
            """
            with named as (
                select schema_name || '.' || table_name as relation, column_name, column_index, data_type,
                    '"' || column_name || '"' as quoted
                from duckdb_columns()
                where database_name = 'by_dbt' and schema_name in ('intermediate', 'marts', 'evaluation')
            )
            select relation, string_agg(
                case when data_type in ('DOUBLE', 'FLOAT') then 'round(' || quoted || ', 9)' else quoted end, ', '
                order by column_index
            )
            from named where not list_contains($written_anew, relation || '.' || column_name) group by relation
            order by relation
            """,
            {"written_anew": _WRITTEN_ANEW},
        ).fetchall()
        for table, columns in found:
            if table in _OF_RUNS:
                continue
            ours, theirs = (f"select {columns} from {one}.{table}" for one in ("by_dbt", "warehouse"))
            counts = connection.execute(
                f"select (select count(*) from ({ours})), (select count(*) from ({ours} except all {theirs})),"
                f" (select count(*) from ({theirs} except all {ours}))"
            ).fetchone()
            assert counts is not None
            if counts[1] or counts[2]:
                different.append(f"{table}: {counts[1]} rows only dbt has, {counts[2]} only SQLMesh")
            tables, rows = tables + 1, rows + int(counts[0])
    if different:
        raise AssertionError(f"dbt and SQLMesh built different tables: {'; '.join(different)}")
    return tables, rows
