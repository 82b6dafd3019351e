"""Build a version beside the published ones: the marts file, the fact files, the batches, the manifest."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from oneledger.outcomes import utc_now
from oneledger.publishing import facts as daily
from oneledger.publishing.before import Before, look_at
from oneledger.publishing.content import TableContent, overall_hash
from oneledger.publishing.evaluation_basis import FOLDER as EVALUATION_DIR
from oneledger.publishing.evaluation_basis import as_of_on, write_basis
from oneledger.publishing.lineage_basis import FOLDER as LINEAGE_DIR
from oneledger.publishing.lineage_basis import write_lineage
from oneledger.publishing.marts_file import write_marts
from oneledger.publishing.parts import Parts
from oneledger.publishing.relations import RELATIONS_FILE, write_relations
from oneledger.publishing.versions import (
    BATCHES_FILE,
    MANIFEST,
    MARTS_FILE,
    NOT_YET_CURRENT,
    PublishedVersion,
)
from oneledger.settings import Settings

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """No progress wanted."""


def write_version(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    folder: Path,
    *,
    run_id: str,
    previous: PublishedVersion | None,
    is_as_sealed: Callable[[str], bool] = lambda _: False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write everything of a version into ``folder`` (which exists and is empty) and return its manifest.

    The manifest has no version name yet: that comes from the content hash.

    Args:
        previous: the version that is published now; what did not change is taken over from it.
        is_as_sealed: whether a file of it is what was sealed; only such a file is built on.
        progress: told one line a table and month that is looked at.
    """
    models_hash = published_models(settings)
    before = look_at(previous, models_hash=models_hash, is_as_sealed=is_as_sealed) if previous else None
    parts = Parts()
    tables = write_marts(connection, folder / MARTS_FILE, parts, run_id=run_id, before=before, progress=progress)
    fact_files: list[daily.FactFile] = []
    columns: dict[str, str] = {}
    keys: dict[str, tuple[str, ...]] = {}
    pending = _pending_days(connection)
    for fact in daily.daily_facts(connection):
        columns[fact.name] = fact.columns_hash
        keys[fact.name] = fact.sort_columns
        fact_files += daily.write_fact(
            connection,
            fact,
            folder,
            parts,
            before=before,
            changed_days=_change_test(fact, pending, before),
            progress=progress,
        )
    parts.write(folder)
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


def _pending_days(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[dt.date, ...]]:
    rows = connection.execute(
        "select strftime(usage_on, '%Y-%m'), list(distinct usage_on order by usage_on) from control.pending_date"
        " where shape = 'usage' group by 1"
    ).fetchall()
    return {month: tuple(days) for month, days in rows}


def _change_test(
    fact: daily.DailyFact, pending: dict[str, tuple[dt.date, ...]], before: Before | None
) -> Callable[[str], tuple[dt.date, ...] | None]:
    """Which days of a month of a fact may differ from the version before.

    Pending dates tell it for app usage. Other daily facts have none, and changed models or columns can
    touch any month: then each month is written and compared with the published one.
    """
    is_told = (
        fact.name == "fct_app_usage_day"
        and before is not None
        and before.is_alike
        and before.version.manifest["fact_columns"].get(fact.name) == fact.columns_hash
    )
    known: dict[str, tuple[dt.date, ...]] | None = pending if is_told else None
    return lambda month: None if known is None else known.get(month, ())


def _as_of_on(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The day as of which the marts were computed. A source that answers for today although the portals' newest file
    is older (a library that is asked by hand) does not make them newer; without such a day, the newest delivery."""
    newest: dt.date | None = connection.execute("select max(business_on) from control.admitted_batch").fetchall()[0][0]
    return as_of_on(connection) or (newest.isoformat() if newest else None)
