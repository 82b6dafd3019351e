"""What vouches for a trace: the version and its hashes, the runs that made it, the checks passed, who confirmed."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import duckdb

from oneledger.audit.anchors import anchor_of_version, current_anchor
from oneledger.lineage.literals import text_literal, texts_literal
from oneledger.publishing.facts import file_sha256
from oneledger.publishing.lineage_basis import CHECKS_FILE, FOLDER
from oneledger.publishing.versions import BATCHES_FILE, MANIFEST, PublishedVersion
from oneledger.settings import Settings
from oneledger.warehouse.evaluation_runs import RUN_FILE, EvaluationRun


def provenance(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    version: PublishedVersion,
    batches: Sequence[str],
    run: EvaluationRun | None,
    passed_through: Iterable[str] = (),
) -> dict[str, Any]:
    """Where the numbers of a version come from.

    Args:
        connection: the version's relations.
        batches: the batches behind the traced thing.
        passed_through: what the trace went through: relations, and entities of sources by their full id.
        run: the evaluation run of which the traced thing is a result.

    Returns:
        ``version, manifest_sha256, content_hash, as_of_on, created_at, run_id, airflow_run_id, code_version,
        models_hash, rules_hash, anchor`` (None when none is kept), ``runs`` (by run what its steps did with these
        batches), ``checks`` (the gates), ``checks_on_the_way`` (each single check of what was passed through, what
        failed first; None for a version that does not carry them), ``batches`` (as they were admitted) and
        ``evaluation`` (who confirmed).
    """
    manifest = version.manifest
    return {
        "version": version.version,
        "manifest_sha256": file_sha256(version.path / MANIFEST),
        "content_hash": version.content_hash,
        "as_of_on": manifest.get("as_of_on"),
        "created_at": manifest["created_at"],
        "run_id": manifest["run_id"],
        "airflow_run_id": scheduled_airflow_run(manifest["run_id"]),
        "code_version": manifest["code_version"],
        "models_hash": manifest["models_hash"],
        "rules_hash": manifest.get("rules_hash"),
        "anchor": _anchor(settings, version),
        "runs": _runs(connection, batches),
        "checks": _checks(connection, manifest),
        "checks_on_the_way": _checks_on_the_way(connection, version, passed_through),
        "batches": _batches(connection, version, batches),
        "evaluation": _evaluation(run),
    }


def scheduled_airflow_run(run_id: str) -> str | None:
    """The Airflow run from which a run id was made, when a schedule started it (see ``oneledger_airflow.run_ids``).

    A run id carries the instant and a digest of Airflow's own run id; a scheduled run is named after its instant. None
    for a run that was started by hand.
    """
    stamp, _, digest = run_id.rpartition("-")
    try:
        due_at = dt.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    name = f"scheduled__{due_at.isoformat()}"
    return name if hashlib.sha256(name.encode()).hexdigest()[:6] == digest else None


def _anchor(settings: Settings, version: PublishedVersion) -> dict[str, Any] | None:
    """The anchor of the entry that seals the version, else the newest; None while nothing is sealed."""
    anchor = anchor_of_version(settings, version.version) or current_anchor(settings)
    return {**asdict(anchor), "line": anchor.line} if anchor is not None else None


def _runs(connection: duckdb.DuckDBPyConnection, batches: Sequence[str]) -> list[dict[str, Any]]:
    rows = connection.execute(
        "select run_id, step, min(started_at), max(ended_at), count(*), sum(received_count), sum(accepted_count),"
        f" sum(quarantined_count) from control.outcome where batch_id in (select unnest({texts_literal(batches)}))"
        " group by run_id, step order by 3"
    ).fetchall()
    names = ("run_id", "step", "started_at", "ended_at", "batches_count", "received_count", "accepted_count",
             "quarantined_count")  # fmt: skip
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [{**one, "airflow_run_id": scheduled_airflow_run(one["run_id"])} for one in found]


def _checks(connection: duckdb.DuckDBPyConnection, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    checks = []
    for gate, answer in sorted((manifest.get("gates") or {}).items()):
        rows = connection.execute(
            f"select verdict, message from control.outcome where step = {text_literal(f'gate_{gate}')}"
            f" and run_id = {text_literal(answer['run_id'])} order by ended_at desc limit 1"
        ).fetchall()
        verdict, message = rows[0] if rows else (None, None)
        checks.append({"gate": gate, **answer, "verdict": verdict, "message": message})
    return checks


def _checks_on_the_way(
    connection: duckdb.DuckDBPyConnection, version: PublishedVersion, passed_through: Iterable[str]
) -> list[dict[str, Any]] | None:
    """The results of the single checks that the gates judged these entities by, when the version was made."""
    path = version.path / FOLDER / CHECKS_FILE
    if not path.is_file():
        return None
    names = set(passed_through)
    # Checks of marts may name a table without its schema.
    names |= {name.partition(".")[2] for name in names if name.startswith(("marts.", "evaluation."))}
    cursor = connection.execute(
        "select gate, check_id, entity, title_zh, title_en, severity, is_passed, observed, expected, checked_at, run_id"
        f" from read_parquet({text_literal(path)}) where entity in (select unnest({texts_literal(sorted(names))}))"
        " order by is_passed, severity, gate desc, check_id, entity"
    )
    columns = [column[0] for column in cursor.description or []]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _batches(
    connection: duckdb.DuckDBPyConnection, version: PublishedVersion, batches: Sequence[str]
) -> dict[str, Any]:
    """How the batches behind the number were admitted, and which of them correct an earlier delivery."""
    rows = connection.execute(
        "select count(*), min(business_on), max(business_on), sum(quarantined_count), sum(superseded_count),"
        " list(batch_id order by batch_id) filter (where correction_reason is not null)"
        f" from read_parquet({text_literal(version.path / BATCHES_FILE)})"
        f" where batch_id in (select unnest({texts_literal(batches)}))"
    ).fetchall()
    names = ("batches_count", "first_business_on", "last_business_on", "quarantined_count", "superseded_count",
             "corrections")  # fmt: skip
    return dict(zip(names, rows[0], strict=True))


def _evaluation(run: EvaluationRun | None) -> dict[str, Any] | None:
    if run is None:
        return None
    decision = run.decision or {}
    return {
        "run_id": run.run_id,
        "period": run.period,
        "state": run.state,
        "created_at": run.record.get("created_at"),
        "rule_version": run.record.get("rule_version"),
        "rules_hash": run.record.get("rules_hash"),
        "run_sha256": file_sha256(run.path / RUN_FILE),
        "seal": run.record.get("seal"),
        "decided_by": decision.get("name"),
        "decided_at": decision.get("decided_at"),
        "reason": decision.get("reason"),
        "through": decision.get("through"),
    }
