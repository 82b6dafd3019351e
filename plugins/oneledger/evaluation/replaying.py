"""Compute a run again from landing, in a home of its own, and compare it with what was frozen.

The home's landing holds links to the batches that the run's version was made of and to no other, so whatever was
delivered since does not matter. Raw is remade from the landed bytes, everything is admitted, dbt builds all models
with the rules of the run, and each result table is compared with the run's hash and, where it differs, row by row.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from oneledger.catalogue import load_catalogue
from oneledger.evaluation.rules import load_frozen, metrics_file, rules_hash
from oneledger.evaluation.runs import find_run, verify_run
from oneledger.outcomes import Outcome, new_run_id
from oneledger.publishing.build import published_models
from oneledger.publishing.content import hash_relation, quote
from oneledger.publishing.evaluation_basis import RULES_DIR
from oneledger.publishing.versions import BATCHES_FILE
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import EvaluationRun, list_runs
from oneledger.warehouse.rebuild import rebuild

Progress = Callable[[str], None]
_SHOWN_ROWS = 5
_DECIMALS = 9


def replay(settings: Settings, run_id: str, *, progress: Progress = lambda _: None) -> dict[str, Any]:
    """Compute a run again from the bytes that were received.

    Returns:
        ``ok`` (every result is identical), ``run_id``, ``batches_count``, ``changed_since`` (models, code or DuckDB
        that are not as they were), and ``items``: one a result table with ``ok``, rows and, where it differs,
        ``problem``, ``expected``, ``remedy`` and some of the rows that differ.

    Raises:
        ConfigurationError: there is no such run, it was changed, or a batch is not in landing any more.
    """
    run = find_run(settings, run_id)
    if problems := verify_run(run):
        raise ConfigurationError(
            f"{run.run_id} cannot be replayed: {problems[0].file} {problems[0].problem}, expected "
            f"{problems[0].expected}. {problems[0].remedy}"
        )
    folder = settings.scratch_dir / f"replay-{run.run_id}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        home = dataclasses.replace(settings, home=folder / "home", project_root=folder / "project")
        batches = _link_landing(settings, home, run)
        progress(f"landing: {len(batches)} batches of version {run.record['version']} linked")
        _lay_out_project(settings, home, run)
        _link_confirmed(settings, home, run)
        outcomes = rebuild(home, load_catalogue(home), new_run_id(), progress=progress)
        failed = [one for one in outcomes if one.verdict == "failed"]
        items = [_failed(one) for one in failed] or _compared(home, run, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "ok": all(item["ok"] for item in items),
        "run_id": run.run_id,
        "state": run.state,
        "batches_count": len(batches),
        "changed_since": _changed_since(settings, run),
        "items": items,
    }


def _link_landing(settings: Settings, home: Settings, run: EvaluationRun) -> Sequence[str]:
    """Link the batch directories that the run's version was made of into the home's landing."""
    with duckdb.connect() as connection:
        path = str(run.path / BATCHES_FILE).replace("'", "''")
        rows = connection.execute(
            f"select batch_id, source, entity, partition, revision from read_parquet('{path}') order by batch_id"
        ).fetchall()
    for batch_id, source, entity, partition, revision in rows:
        place = Path(source) / entity / partition / f"r{revision:03d}"
        if not (settings.landing_dir / place / "manifest.json").is_file():
            raise ConfigurationError(
                f"Batch {batch_id} is not in {settings.landing_dir} any more. Landing is the record of truth: restore "
                "it from the backup, then replay again."
            )
        link = home.landing_dir / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(settings.landing_dir / place, target_is_directory=True)
    return [row[0] for row in rows]


def _lay_out_project(settings: Settings, home: Settings, run: EvaluationRun) -> None:
    """A copy of today's dbt project whose rule seeds and metrics are those of the run."""
    shutil.copytree(settings.dbt_project_dir, home.dbt_project_dir, ignore=shutil.ignore_patterns("target", "logs"))
    rules = run.path / RULES_DIR
    seeds = {path.name: path for path in (home.dbt_project_dir / "seeds").rglob("*.csv")}
    for path in sorted(rules.glob("*.csv")):
        # A rule table that the project no longer has is not put in: its absence shows as a difference.
        if path.name in seeds:
            shutil.copyfile(path, seeds[path.name])
    shutil.copyfile(metrics_file(rules), metrics_file(home.dbt_project_dir / "seeds"))


def _link_confirmed(settings: Settings, home: Settings, run: EvaluationRun) -> None:
    """What was confirmed before the run was made may have gone into it (confirmed money is frozen)."""
    wanted = set(run.record["confirmed_before"])
    home.evaluations_dir.mkdir(parents=True, exist_ok=True)
    for one in list_runs(settings.evaluations_dir):
        if one.run_id in wanted:
            (home.evaluations_dir / one.run_id).symlink_to(one.path, target_is_directory=True)


def _compared(home: Settings, run: EvaluationRun, progress: Progress) -> list[dict[str, Any]]:
    items = []
    with duckdb.connect(str(home.warehouse_path), read_only=True) as connection:
        for result in run.record["results"]:
            item = _compare(connection, run, result)
            progress(f"{result['table']}: {'identical' if item['ok'] else item['problem']}")
            items.append(item)
    return items


def _compare(connection: duckdb.DuckDBPyConnection, run: EvaluationRun, result: dict[str, Any]) -> dict[str, Any]:
    table = result["table"]
    item: dict[str, Any] = {"table": table, "ok": True, "rows_count": result["rows_count"]}
    schema, _, name = table.partition(".")
    columns = {
        row[0]: row[1]
        for row in connection.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ?"
            " order by column_index",
            [schema, name],
        ).fetchall()
    }
    if not columns:
        return item | _differs(f"{table} is not built any more", f"a table with {result['rows_count']} rows")
    where = "true"
    if "run_id" in columns:
        where = f"run_id = '{run.round_id.replace(chr(39), chr(39) * 2)}'"
    relation = f"{quote(schema)}.{quote(name)}"
    content = hash_relation(connection, relation, table, where)
    if (content.rows_count, content.content_hash) == (result["rows_count"], result["content_hash"]):
        return item
    path = str(run.path / result["file"]).replace("'", "''")
    frozen = f"read_parquet('{path}')"
    before = {row[0]: row[1] for row in connection.execute(f"describe from {frozen}").fetchall()}
    told = ""
    if gone := sorted(set(before) - set(columns)):
        told += f"; columns {', '.join(gone)} are gone"
    if fresh := sorted(set(columns) - set(before)):
        told += f"; columns {', '.join(fresh)} are new"
    shared = ", ".join(
        f"round({quote(column)}, {_DECIMALS}) as {quote(column)}" if kind == "DOUBLE" else quote(column)
        for column, kind in columns.items()
        if column in before
    )
    lost = f"select {shared} from {frozen} except all select {shared} from {relation} where {where}"
    found = f"select {shared} from {relation} where {where} except all select {shared} from {frozen}"
    counts = connection.execute(f"select (select count(*) from ({lost})), (select count(*) from ({found}))").fetchall()
    return (
        item
        | _differs(
            f"{table}: {counts[0][0]} frozen rows are not computed again, {counts[0][1]} computed rows were not "
            f"frozen{told}",
            f"{result['rows_count']} rows with content hash {result['content_hash']}",
        )
        | {
            "frozen_rows": _rows(connection, f"{lost} order by all limit {_SHOWN_ROWS}"),
            "computed_rows": _rows(connection, f"{found} order by all limit {_SHOWN_ROWS}"),
        }
    )


def _differs(problem: str, expected: str) -> dict[str, Any]:
    return {
        "ok": False,
        "problem": problem,
        "expected": expected,
        "remedy": "When models or code changed since (changed_since), replay with the code of the run's commit; when "
        "they did not, landing or the run is not what it was: `oneledger evaluate verify`, and restore from a backup.",
    }


def _failed(outcome: Outcome) -> dict[str, Any]:
    return {
        "table": outcome.entity or outcome.step,
        "ok": False,
        "problem": f"{outcome.step}: {outcome.message}",
        "expected": "the step succeeds as it did for the published version",
        "remedy": outcome.remedy,
    }


def _changed_since(settings: Settings, run: EvaluationRun) -> list[dict[str, str]]:
    """What a result also depends on and is not as it was when the run was made."""
    import importlib.metadata

    record = run.record
    present = {
        "models_hash": published_models(settings),
        "code_version": importlib.metadata.version("oneledger"),
        "duckdb_version": duckdb.__version__,
    }
    changes = [
        {"what": name, "then": str(record[name]), "now": now} for name, now in present.items() if record[name] != now
    ]
    if rules_hash(load_frozen(run.path / RULES_DIR)) != record["rules_hash"]:
        changes.append({"what": RULES_DIR, "then": record["rules_hash"], "now": "the run's own rules were changed"})
    return changes


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
