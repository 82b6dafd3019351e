"""Evaluation runs as they lie in their folders, and the confirmed ones in the warehouse.

A run is a folder ``evaluations/<run_id>/`` with ``run.json``, which never changes after it was written, and
``results/*.parquet``. What was decided about it lies beside: ``confirmation.json`` or ``rejection.json``. A
confirmed run is superseded when the confirmation of another run says so.

The warehouse takes over decided runs (``control.evaluation_run``) and the results of those that are in force
(schema ``confirmed``) with every build; the folders are the record, so a rebuild finds them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

RUN_FILE = "run.json"
CONFIRMATION_FILE = "confirmation.json"
REJECTION_FILE = "rejection.json"
RESULTS_DIR = "results"
State = Literal["draft", "stopped", "confirmed", "superseded", "rejected"]
DECIDED: tuple[State, ...] = ("confirmed", "superseded", "rejected")
# Money that was confirmed once is frozen for good: of each project and year the first computed share counts, also
# when the run that confirmed it was superseded since.
_FROZEN_KEYS = {"funding_share": ("project_id", "budget_year")}
_FROZEN_WHEN = "state = 'computed'"


@dataclass(frozen=True)
class EvaluationRun:
    """One run. ``record`` is ``run.json``, ``decision`` the confirmation or rejection, empty for neither."""

    path: Path
    record: dict[str, Any]
    decision: dict[str, Any]
    state: State

    @property
    def run_id(self) -> str:
        return str(self.record["run_id"])

    @property
    def round_id(self) -> str:
        return str(self.record["round_id"])

    @property
    def period(self) -> str:
        return str(self.record["period"])

    def result_path(self, table: str) -> Path:
        """The Parquet file of a result table, named without its schema."""
        return self.path / RESULTS_DIR / f"{table}.parquet"


def list_runs(folder: Path) -> list[EvaluationRun]:
    """Every complete run, in the order in which they were made.

    Raises:
        ValueError: a run's file cannot be read; the message names it.
    """
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path / RUN_FILE).is_file():
            continue
        decision, kind = {}, ""
        for name in (CONFIRMATION_FILE, REJECTION_FILE):
            if (path / name).is_file():
                decision, kind = _read(path / name), name
        found.append((path, _read(path / RUN_FILE), decision, kind))
    superseded = {one["supersedes"] for _, _, one, kind in found if kind == CONFIRMATION_FILE and one["supersedes"]}
    runs = [
        EvaluationRun(path, record, decision, _state(record, kind, superseded))
        for path, record, decision, kind in found
    ]
    return sorted(runs, key=lambda run: (run.record["created_at"], run.run_id))


def decisions_hash(folder: Path) -> str:
    """Changes when a run is confirmed, superseded or rejected: the next build then has something to take over."""
    lines = [f"{run.run_id}\t{run.state}" for run in list_runs(folder) if run.state in DECIDED]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def load_decided_runs(connection: duckdb.DuckDBPyConnection, folder: Path) -> int:
    """Replace ``control.evaluation_run`` and schema ``confirmed`` by what the run folders say now.

    Every table of schema ``confirmed`` has the columns of the result, and ``evaluation_run_id``. One that was
    created with columns of its own keeps them and takes over those that it shares with the result. Of the funding
    share the first confirmation of a project and year stays for good.

    Returns:
        How many runs are in force.
    """
    decided = [run for run in list_runs(folder) if run.state in DECIDED]
    in_force = [run for run in decided if run.state == "confirmed"]
    connection.execute("begin transaction")
    try:
        connection.execute("delete from control.evaluation_run")
        for run in decided:
            connection.execute(
                f"insert into control.evaluation_run values ({', '.join('?' * len(_row(run)))})", _row(run)
            )
        existing = {
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'confirmed'"
                " and database_name = current_database()"
            ).fetchall()
        }
        results = {path.stem for run in in_force for path in (run.path / RESULTS_DIR).glob("*.parquet")}
        once_confirmed = sorted(
            (run for run in decided if run.state in ("confirmed", "superseded")),
            key=lambda run: (run.decision["decided_at"], run.run_id),
        )
        for table in sorted(existing | results):
            runs = once_confirmed if table in _FROZEN_KEYS else in_force
            _load(connection, table, runs, is_known=table in existing)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return len(in_force)


def _load(connection: duckdb.DuckDBPyConnection, table: str, runs: Sequence[EvaluationRun], *, is_known: bool) -> None:
    files = [(run.run_id, run.result_path(table)) for run in runs if run.result_path(table).is_file()]
    target = f'confirmed."{table}"'
    if is_known:
        connection.execute(f"delete from {target}")
    if not files:
        return
    rows = " union all by name ".join(
        f"select '{run_id}' as evaluation_run_id, * from read_parquet('{_literal(path)}')" for run_id, path in files
    )
    if table in _FROZEN_KEYS:
        order = ", ".join(f"'{run_id}'" for run_id, _ in files)
        rows = (
            f"select * from ({rows}) where {_FROZEN_WHEN} qualify row_number() over (partition by"
            f" {', '.join(_FROZEN_KEYS[table])} order by list_position([{order}], evaluation_run_id)) = 1"
        )
    if not is_known:
        connection.execute(f"create table {target} as {rows}")
        return
    wanted = [row[0] for row in connection.execute(f"describe {target}").fetchall()]
    given = [row[0] for row in connection.execute(f"describe {rows}").fetchall()]
    if "evaluation_run_id" in wanted and set(given) - set(wanted):
        # A table of our own making, from before the result had all these columns.
        connection.execute(f"create or replace table {target} as {rows}")
        return
    shared = ", ".join(f'"{name}"' for name in wanted if name in given)
    connection.execute(f"insert into {target} ({shared}) select {shared} from ({rows})")


def _row(run: EvaluationRun) -> list[Any]:
    record, decision = run.record, run.decision
    return [
        run.run_id, run.round_id, run.period, run.state, record["version"], record["rule_version"],
        record["rules_hash"], record["content_hash"], record["created_at"], record["created_by"],
        decision["decided_at"], decision["name"], decision["reason"], decision.get("supersedes"),
        decision.get("run_sha256"),
    ]  # fmt: skip


def _state(record: dict[str, Any], kind: str, superseded: set[str]) -> State:
    if kind == CONFIRMATION_FILE:
        return "superseded" if record["run_id"] in superseded else "confirmed"
    if kind == REJECTION_FILE:
        return "rejected"
    return "draft" if record["gate"]["is_open"] else "stopped"


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}). It was changed after it was written: restore the folder of this run "
            "from a backup."
        ) from error


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")
