"""The dbt run: seeds, models and their data tests, in this process, on the warehouse file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from oneledger.lineage.openlineage.model_events import tell_build
from oneledger.outcomes import Outcome, record_outcome, utc_now
from oneledger.quality.gate_state import create_gate_table
from oneledger.settings import Settings
from oneledger.warehouse.built_models import keep_build, knows_all_sql, read_build
from oneledger.warehouse.connection import WAREHOUSE, open_warehouse
from oneledger.warehouse.control import create_control_tables, load_outcomes
from oneledger.warehouse.evaluation_runs import load_decided_runs
from oneledger.warehouse.leftovers import clear_leftovers
from oneledger.warehouse.lock import writer_lock
from oneledger.warehouse.model_grains import keep_grains, read_grains
from oneledger.warehouse.semantic_manifest import keep_semantic_manifest, read_semantic_manifest
from oneledger.warehouse.spilling import spill_folder

Progress = Callable[[str], None]
_ROWS_WRITTEN = re.compile(r"oneledger rows written: (\d+)")
_RESULT_EVENTS = {"LogModelResult", "LogSeedResult", "LogTestResult", "LogSnapshotResult"}


def _silent(_: str) -> None:
    """No progress wanted."""


def warm_up() -> None:
    """Import dbt, which takes seconds; worth doing while the sources are still being read."""
    import dbt.adapters.duckdb
    import dbt.cli.main  # noqa: F401


def build_models(
    settings: Settings, *, run_id: str, full_refresh: bool = False, progress: Progress = _silent
) -> Outcome:
    """Build every seed, model and data test of the dbt project; unit tests run in ``make test``.

    Args:
        settings: ``dbt_project_dir`` holds the project and its profile; target and logs go under the home.
        run_id: the run that the outcome belongs to.
        full_refresh: build incremental models from nothing; so they are also when models or macros changed.
        progress: told one line for each finished seed, model and failed test.

    Returns:
        The outcome (step ``build_models``), recorded: ``failed`` with the names and dbt's messages when a
        model or test failed, ``warning`` when a test warned. ``detail`` counts what was built and tested.

    Raises:
        WriterBusyError: another process writes the warehouse.
    """
    started_at = utc_now()
    with writer_lock(settings, run_id=run_id, step="build_models"):
        # A build that was killed may have spilled tens of gigabytes, which the next one needs.
        clear_leftovers(settings)
        seeds_hash = _hash_of(settings.dbt_project_dir, ("dbt_project.yml", "seeds"))
        models_hash = _hash_of(settings.dbt_project_dir, ("dbt_project.yml", "macros", "models"))
        with open_warehouse(settings) as connection:
            create_control_tables(connection)
            load_outcomes(connection, settings.outcomes_dir)
            load_decided_runs(connection, settings.evaluations_dir)
            loaded = connection.execute("select max(content_hash) from control.seed_state").fetchone()
            built_with = connection.execute("select max(content_hash) from control.model_state").fetchone()
            # What an incremental model built with other SQL is not what it would build now, in no month. A warehouse
            # that does not say what it was built with is older than that record, or new, or its build was cut off.
            if not knows_all_sql(connection) or built_with is None or built_with[0] != models_hash:
                if built_with is not None and built_with[0] is not None:
                    progress("models changed since the last build: incremental models are built from nothing")
                full_refresh = True
            # A seed that did not change stands in the warehouse already, and was tested there; loading and testing it
            # again costs and changes nothing.
            skips_seeds = not full_refresh and loaded is not None and loaded[0] == seeds_hash
            _note_begun(connection, is_full=full_refresh, loads_seeds=not skips_seeds)
        begun = time.monotonic()
        _forget_other_project(settings, models_hash)
        rows_written: dict[str, int] = {}
        listeners = [_reporter(progress), _row_counter(rows_written)]
        manifest, results, error = _invoke_dbt(settings, run_id, full_refresh, skips_seeds, listeners)
        outcome = _outcome(run_id, results, error, time.monotonic() - begun)
        outcome.started_at = started_at
        if outcome.verdict != "failed":
            built = read_build(manifest, results, settings.dbt_project_dir)
            metrics = read_semantic_manifest(manifest) if manifest.semantic_models else None
            with open_warehouse(settings) as connection:
                keep_build(connection, built, is_full=full_refresh)
                keep_grains(connection, read_grains(manifest, settings.dbt_project_dir))
                if metrics:
                    keep_semantic_manifest(connection, metrics)
                connection.execute("insert or replace into control.model_state values (1, ?)", [models_hash])
                if not skips_seeds:
                    connection.execute("insert or replace into control.seed_state values (1, ?)", [seeds_hash])
        if results:
            tell_build(settings, run_id, manifest, results, rows_written, full_refresh).note_in(outcome)
    return record_outcome(outcome, settings.outcomes_dir)


def _note_begun(connection: duckdb.DuckDBPyConnection, *, is_full: bool, loads_seeds: bool) -> None:
    """From here on until the build is kept the marts are of no one build.

    What a killed build leaves must not be published on the word of an earlier gate, nor be taken for whole when models
    or seeds are set back to what they were.
    """
    create_gate_table(connection)
    connection.execute("begin transaction")
    connection.execute("delete from checks.gate where gate = 'marts'")
    if is_full:
        connection.execute("delete from control.model_state")
        _mark_all_usage_pending(connection)
    if loads_seeds:
        connection.execute("delete from control.seed_state")
    connection.execute("commit")


def _mark_all_usage_pending(connection: duckdb.DuckDBPyConnection) -> None:
    """Any day may differ from what is published when models are built from nothing.

    The gate over the marts compares the months with pending days; without this a wrong model would pass it in a night
    that brings nothing new.
    """
    is_there = connection.execute(
        "select count(*) from duckdb_tables() where schema_name = 'admitted' and table_name = 'usage'"
        " and database_name = current_database()"
    ).fetchall()[0][0]
    if is_there:
        connection.execute(
            "insert or ignore into control.pending_date select distinct 'usage', usage_on from admitted.usage"
            " where usage_on is not null"
        )


def _invoke_dbt(
    settings: Settings, run_id: str, full_refresh: bool, skips_seeds: bool, listeners: list[Callable[[Any], None]]
) -> tuple[Any, list[Any], str | None]:
    """dbt's manifest, the results of ``dbt build``, and the message of an error before or outside of any model."""
    places = [
        "--project-dir", str(settings.dbt_project_dir),
        "--profiles-dir", str(settings.dbt_project_dir),
        "--target-path", str(_target(settings)),
        "--log-path", str(settings.logs_dir / "dbt"),
    ]  # fmt: skip
    what = [
        "--exclude-resource-type", "unit_test",
        *(["--exclude", "path:seeds"] if skips_seeds else []),
        *(["--full-refresh"] if full_refresh else []),
    ]  # fmt: skip
    options = [
        # Standard output belongs to the command line (--json); what happened comes through the callback.
        "--quiet",
        "--log-level", "none",
        "--no-version-check",
        "--no-send-anonymous-usage-stats",
        "--no-use-colors",
        "--partial-parse",
        # Two thirds of a second a night for files that nobody reads: the manifest goes from hand to hand.
        "--no-write-json",
        # dbt's debug log of one night is a hundred times as long as what it says.
        "--log-level-file", "info",
    ]  # fmt: skip
    with _dbt_environment(settings, run_id):
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        try:
            parsed = dbtRunner().invoke([*options, "parse", *places])
            if not parsed.success:
                return None, [], str(parsed.exception)
            manifest: Any = parsed.result
            runner = dbtRunner(manifest=manifest, callbacks=listeners)
            result = runner.invoke([*options, "build", *places, *what])
        finally:
            # dbt keeps the file open for its next invocation in this process; other steps need it closed.
            if DuckDBConnectionManager._ENV is not None:
                DuckDBConnectionManager._ENV.close()
            DuckDBConnectionManager.close_all_connections()
    results = list(getattr(result.result, "results", None) or [])
    return manifest, results, None if result.exception is None else str(result.exception)


def _forget_other_project(settings: Settings, models_hash: str) -> None:
    """Drop dbt's memory of the parsed project when the project's files changed since it was written.

    dbt 1.11 mends its memory file by file and gets it wrong when a unit test moves from one file to another: it then
    knows the test twice and builds nothing.
    """
    parsed, known = _target(settings) / "partial_parse.msgpack", _target(settings) / "parsed_project.sha256"
    if parsed.exists() and not (known.exists() and known.read_text("ascii") == models_hash):
        parsed.unlink()
    known.parent.mkdir(parents=True, exist_ok=True)
    known.write_text(models_hash, "ascii")


def _target(settings: Settings) -> Path:
    return settings.home / "dbt" / "target"


@contextlib.contextmanager
def _dbt_environment(settings: Settings, run_id: str) -> Iterator[None]:
    """What the profile and the models read from the environment, for the time of the run."""
    wanted = {
        "ONELEDGER_WAREHOUSE": str(settings.warehouse_path),
        "ONELEDGER_DUCKDB_MEMORY": settings.duckdb_memory_limit,
        "ONELEDGER_THREADS": str(settings.threads),
        "ONELEDGER_SPILL": str(spill_folder(settings, WAREHOUSE)),
        "ONELEDGER_RUN_ID": run_id,
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _reporter(progress: Progress) -> Callable[[Any], None]:
    def report(event: Any) -> None:
        if event.info.name not in _RESULT_EVENTS:
            return
        data = event.data
        node = data.node_info.node_name
        status = str(data.status).lower()
        if event.info.name == "LogTestResult" and status in ("pass", "success"):
            return
        total = data.num_models if event.info.name == "LogTestResult" else data.total
        progress(f"{node}: {status} in {data.execution_time:.1f} s ({data.index} of {total})")

    return report


def _row_counter(rows_written: dict[str, int]) -> Callable[[Any], None]:
    """Hears what macro ``rows_written.sql`` says of each incremental model, by its unique id."""

    def count(event: Any) -> None:
        if event.info.name == "JinjaLogDebug" and (found := _ROWS_WRITTEN.fullmatch(event.data.msg)):
            rows_written[event.data.node_info.unique_id] = int(found[1])

    return count


def _outcome(run_id: str, results: list[Any], error: str | None, seconds: float) -> Outcome:
    failed, warned, built, tested = [], [], 0, 0
    timings: dict[str, float] = {}
    for result in results:
        status = str(result.status)
        kind = str(result.node.resource_type)
        name = str(result.node.name)
        if kind == "test":
            tested += status in ("pass", "warn", "fail")
        elif status in ("success", "pass"):
            built += 1
            timings[name] = round(float(result.execution_time), 2)
        if status in ("error", "fail", "runtime error"):
            message = " ".join(str(result.message or "").split())
            failed.append({"name": name, "kind": kind, "status": status, "message": message})
        elif status == "warn":
            warned.append({"name": name, "message": " ".join(str(result.message or "").split())})
    skipped = [str(result.node.name) for result in results if str(result.status) == "skipped"]
    detail = {
        "built_count": built,
        "tested_count": tested,
        "seconds": round(seconds, 2),
        "failed": failed,
        "warned": warned,
        "skipped_count": len(skipped),
        "slowest": dict(sorted(timings.items(), key=lambda item: -item[1])[:10]),
    }
    if error is not None or failed:
        first = "; ".join(f"{item['kind']} {item['name']}: {item['message']}" for item in failed[:5])
        more = f" (and {len(failed) - 5} more)" if len(failed) > 5 else ""
        message = f"dbt failed: {first}{more}" if failed else f"dbt failed: {' '.join(str(error).split())}"
        return Outcome(
            run_id=run_id,
            step="build_models",
            verdict="failed",
            message=message,
            remedy="The published version stays as it is. The compiled SQL lies in dbt/target and dbt's log in "
            "logs/dbt, both under ONELEDGER_HOME; mend the model, the rule or the data and run `oneledger run` again.",
            detail=detail,
        )
    message = f"{built} seeds and models built, {tested} tests passed"
    if warned:
        message += f", {len(warned)} of them with a warning: {', '.join(item['name'] for item in warned[:5])}"
    return Outcome(
        run_id=run_id, step="build_models", verdict="warning" if warned else "good", message=message, detail=detail
    )


def _hash_of(project_dir: Path, parts: Sequence[str]) -> str:
    """Changes when one of these files, or a file under these folders of the dbt project, changes."""
    digest = hashlib.sha256()
    for part in parts:
        start = project_dir / part
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(project_dir)).encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
