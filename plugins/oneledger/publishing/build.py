"""Build a version beside the published ones: the marts file, the fact files, the batches, the manifest."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from oneledger.outcomes import utc_now
from oneledger.publishing import facts as daily
from oneledger.publishing.content import TableContent, hash_relation, overall_hash, quote
from oneledger.publishing.evaluation_basis import FOLDER as EVALUATION_DIR
from oneledger.publishing.evaluation_basis import as_of_on, write_basis
from oneledger.publishing.lineage_basis import FOLDER as LINEAGE_DIR
from oneledger.publishing.lineage_basis import write_lineage
from oneledger.publishing.relations import RELATIONS_FILE, write_relations
from oneledger.publishing.versions import (
    BATCHES_FILE,
    MANIFEST,
    MARTS_FILE,
    NOT_YET_CURRENT,
    PublishedVersion,
)
from oneledger.settings import Settings

PUBLISHED_SCHEMAS = ("marts", "evaluation")
_ATTACHED = "version_in_the_making"


def write_version(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    folder: Path,
    *,
    run_id: str,
    previous: PublishedVersion | None,
) -> dict[str, Any]:
    """Write everything of a version into ``folder`` (which exists and is empty) and return its manifest.

    The manifest has no version name yet: that comes from the content hash.
    """
    models_hash = published_models(settings)
    tables = _write_marts(connection, folder / MARTS_FILE, run_id=run_id)
    fact_files: list[daily.FactFile] = []
    columns: dict[str, str] = {}
    keys: dict[str, tuple[str, ...]] = {}
    pending = _pending_months(connection)
    for fact in daily.daily_facts(connection):
        columns[fact.name] = fact.columns_hash
        keys[fact.name] = fact.sort_columns
        fact_files += daily.write_fact(
            connection,
            fact,
            folder,
            previous=previous,
            has_changed=_change_test(fact, pending, previous, models_hash),
        )
    batches = _write_batches(connection, folder / BATCHES_FILE)
    basis = write_basis(connection, folder)
    relations = write_relations(connection, folder)
    lineage = write_lineage(connection, folder, previous=previous)
    contents = [*tables, *(TableContent(one.name, one.rows_count, one.content_hash) for one in fact_files)]
    manifest = {
        "version": None,
        "run_id": run_id,
        "created_at": utc_now().isoformat(timespec="milliseconds"),
        "as_of_on": _as_of_on(connection),
        "content_hash": overall_hash(contents),
        "previous_version": previous.version if previous else None,
        "code_version": importlib.metadata.version("oneledger"),
        "duckdb_version": duckdb.__version__,
        "models_hash": models_hash,
        "rules_hash": hash_of_files(settings.dbt_project_dir, ("seeds",)),
        "code_commit": commit_of(settings.project_root),
        "catalogue_hash": catalogue_hash(settings),
        "expected_entities": _expected_entities(connection),
        "tables": [
            {**asdict(one), "is_in_content_hash": one.counts, "keys": relations.key_of(one.name)} for one in tables
        ],
        "facts": daily.as_manifest(fact_files),
        "fact_columns": columns,
        "fact_keys": keys,
        "relations": {"file": RELATIONS_FILE, "sha256": daily.file_sha256(folder / RELATIONS_FILE)},
        "batches": batches,
        "evaluation": {
            "as_of_on": basis["as_of_on"],
            "models": [one["relation"] for one in basis["models"]],
            "files": daily.hashes_of(folder, EVALUATION_DIR),
        }
        if basis
        else None,
        "lineage": lineage,
        "lineage_files": daily.hashes_of(folder, LINEAGE_DIR),
    }
    (folder / NOT_YET_CURRENT).touch()
    return manifest


def finish_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write ``manifest.json`` and bring every byte of the folder to disk."""
    (folder / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=2), encoding="utf-8")
    for path in sorted(folder.rglob("*"), reverse=True):
        sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def published_models(settings: Settings) -> str:
    """A hash over everything in the dbt project that decides what the marts hold."""
    return hash_of_files(settings.dbt_project_dir, ("models", "macros", "seeds", "dbt_project.yml"))


def hash_of_files(root: Path, parts: tuple[str, ...]) -> str:
    """SHA-256 over names and bytes of the files under ``root`` that make the rules (not what dbt writes there)."""
    digest = hashlib.sha256()
    for part in parts:
        start = root / part
        found = [start] if start.is_file() else sorted(path for path in start.rglob("*") if path.is_file())
        for path in found:
            digest.update(f"{path.relative_to(root)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def catalogue_hash(settings: Settings) -> str:
    """A hash over the bytes of the source catalogue's files."""
    digest = hashlib.sha256()
    for path in settings.catalogue_paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def commit_of(folder: Path) -> str | None:
    """The commit that a checkout stands on; None outside of one. What was edited since shows in ``models_hash``."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _expected_entities(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The entities that were due: which sources are connected is known to the night's environment alone."""
    rows = connection.execute(
        "select source || '.' || entity from control.expected_entity where is_expected order by 1"
    ).fetchall()
    return [name for (name,) in rows]


def _write_marts(connection: duckdb.DuckDBPyConnection, path: Path, *, run_id: str) -> list[TableContent]:
    warehouse = connection.execute("select current_database()").fetchall()[0][0]
    connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as {_ATTACHED}")
    contents = []
    try:
        for schema, table in _published_relations(connection):
            connection.execute(f"create schema if not exists {_ATTACHED}.{schema}")
            source = f"{quote(warehouse)}.{schema}.{quote(table)}"
            target = f"{_ATTACHED}.{schema}.{quote(table)}"
            connection.execute(f"create table {target} as select * from {source}")
            _copy_comments(connection, warehouse, schema, table)
            if (schema, table) == ("marts", "run_outcome"):
                _add_outcomes_of_run(connection, target, warehouse, run_id)
            contents.append(hash_relation(connection, target, f"{schema}.{table}"))
    finally:
        connection.execute(f"detach {_ATTACHED}")
    return contents


def _published_relations(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Tables and views of month grain or coarser: all but the daily facts, which go to Parquet."""
    return connection.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_catalog = current_database() and list_contains(?, table_schema)"
        " and not (table_schema = 'marts' and regexp_full_match(table_name, 'fct_.*_day'))"
        " order by table_schema, table_name",
        [list(PUBLISHED_SCHEMAS)],
    ).fetchall()


def _copy_comments(connection: duckdb.DuckDBPyConnection, warehouse: str, schema: str, table: str) -> None:
    """Carry the descriptions of table and columns over: an export's definitions come from them."""
    target = f"{_ATTACHED}.{schema}.{quote(table)}"
    described = connection.execute(
        "select comment from (select database_name, schema_name, table_name, comment from duckdb_tables()"
        " union all select database_name, schema_name, view_name, comment from duckdb_views())"
        " where database_name = ? and schema_name = ? and table_name = ? and comment is not null",
        [warehouse, schema, table],
    ).fetchone()
    if described:
        connection.execute(f"comment on table {target} is {_string(described[0])}")
    for column, comment in connection.execute(
        "select column_name, comment from duckdb_columns() where database_name = ? and schema_name = ?"
        " and table_name = ? and comment is not null",
        [warehouse, schema, table],
    ).fetchall():
        connection.execute(f"comment on column {target}.{quote(column)} is {_string(comment)}")


def _add_outcomes_of_run(connection: duckdb.DuckDBPyConnection, target: str, warehouse: str, run_id: str) -> None:
    """The model was built before the last gate; add what this run has recorded since."""
    wanted = [row[0] for row in connection.execute(f"describe {target}").fetchall()]
    given = {row[0] for row in connection.execute(f"describe {quote(warehouse)}.control.outcome").fetchall()}
    if "outcome_id" not in wanted or not set(wanted) <= given:
        return
    names = ", ".join(quote(name) for name in wanted)
    connection.execute(
        f"insert into {target} ({names}) select {names} from {quote(warehouse)}.control.outcome as made"
        f" where made.run_id = ? and not exists (from {target} as known where known.outcome_id = made.outcome_id)",
        [run_id],
    )


def _write_batches(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, Any]:
    """Which batches the version was made of, as a Parquet file: years of daily batches do not fit a manifest."""
    connection.execute(
        "copy (select admitted.batch_id, admitted.source, admitted.entity, admitted.partition, admitted.revision,"
        " admitted.business_on, admitted.contract_hash, admitted.received_count, admitted.accepted_count,"
        " admitted.quarantined_count, admitted.superseded_count, batch.correction_reason, batch.correction_reference,"
        " batch.correction_name from control.admitted_batch as admitted left join control.batch as batch"
        " using (batch_id) order by admitted.batch_id)"
        f" to '{str(path).replace(chr(39), chr(39) * 2)}' (format parquet, compression zstd)"
    )
    count = connection.execute("select count(*) from control.admitted_batch").fetchall()[0][0]
    return {"file": BATCHES_FILE, "batches_count": count, "sha256": daily.file_sha256(path)}


def _pending_months(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute(
        "select distinct strftime(usage_on, '%Y-%m') from control.pending_date where shape = 'usage'"
    ).fetchall()
    return {month for (month,) in rows}


def _change_test(fact: daily.DailyFact, pending: set[str], previous: PublishedVersion | None, models_hash: str) -> Any:
    """Which months of a fact may differ from the version before.

    Pending dates tell it for app usage. Other daily facts have none, and changed models or columns can
    touch any month: then each month is written and compared with the published one.
    """
    is_told = (
        fact.name == "fct_app_usage_day"
        and previous is not None
        and previous.manifest["models_hash"] == models_hash
        and previous.manifest["fact_columns"].get(fact.name) == fact.columns_hash
    )
    return (lambda month: month in pending) if is_told else (lambda month: True)


def _as_of_on(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The day as of which the marts were computed. A source that answers for today although the portals' newest file
    is older (a library that is asked by hand) does not make them newer; without such a day, the newest delivery."""
    newest: dt.date | None = connection.execute("select max(business_on) from control.admitted_batch").fetchall()[0][0]
    return as_of_on(connection) or (newest.isoformat() if newest else None)


def _string(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
