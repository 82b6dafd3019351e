"""Evaluation runs by name: found, described, and checked against the hashes that they were sealed with."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.publishing.content import TableContent, overall_hash
from oneledger.publishing.facts import file_sha256
from oneledger.publishing.versions import resolve
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import CONFIRMATION_FILE, RUN_FILE, EvaluationRun, list_runs

_RESTORE = (
    "The run was changed after it was made. Restore its folder from a backup; a draft can be made again with "
    "`oneledger evaluate`."
)


@dataclass(frozen=True)
class RunProblem:
    """One place where a run is not what was sealed."""

    file: str
    problem: str
    expected: str
    remedy: str


def evaluation_runs(settings: Settings) -> list[EvaluationRun]:
    """Every run, in the order in which they were made.

    Raises:
        ConfigurationError: the files of a run cannot be read.
    """
    try:
        return list_runs(settings.evaluations_dir)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def find_run(settings: Settings, name: str) -> EvaluationRun:
    """The run of this name, or of the first letters of a name that fit one only.

    ``newest`` is the run that was made last, ``confirmed`` the confirmed one in force of the newest round.

    Raises:
        ConfigurationError: there is none, or the letters fit more than one.
    """
    runs = evaluation_runs(settings)
    meant = {"newest": runs[-1] if runs else None, "confirmed": last_confirmed(settings)}.get(name)
    if meant is not None:
        return meant
    found = [one for one in runs if one.run_id == name] or [one for one in runs if one.run_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.run_id for one in runs[-10:]) or "none yet: make a draft with `oneledger evaluate`"
    what = "fits more than one evaluation run" if found else "is no evaluation run"
    raise ConfigurationError(f"{name!r} {what}. The newest ones are: {known}.")


def preferred_run(settings: Settings) -> EvaluationRun | None:
    """The newest confirmed run of the newest round; else its newest draft; None when there is neither."""
    runs = [one for one in evaluation_runs(settings) if one.state in ("confirmed", "draft")]
    if not runs:
        return None
    newest = max(one.record["round"]["period_end_on"] for one in runs)
    of_round = [one for one in runs if one.record["round"]["period_end_on"] == newest]
    return ([one for one in of_round if one.state == "confirmed"] or of_round)[-1]


def last_confirmed(settings: Settings, *, up_to: str | None = None) -> EvaluationRun | None:
    """The confirmed run in force of the newest round that ended no later than ``up_to`` (ISO date)."""
    runs = [
        one
        for one in evaluation_runs(settings)
        if one.state == "confirmed" and (up_to is None or one.record["round"]["period_end_on"] <= up_to)
    ]
    return max(runs, key=lambda one: (one.record["round"]["period_end_on"], one.record["created_at"]), default=None)


def describe(run: EvaluationRun) -> dict[str, Any]:
    """Everything about a run that is to be shown: its record, its state and what was decided."""
    return {**run.record, "state": run.state, "decision": run.decision or None, "path": run.path}


def results_hash(tables: Iterable[dict[str, Any]]) -> str:
    """One hash over the results that a record lists."""
    return overall_hash(TableContent(one["table"], one["rows_count"], one["content_hash"]) for one in tables)


def seal_of(record: dict[str, Any]) -> str:
    """SHA-256 over a record without its own ``seal``."""
    content = {key: value for key, value in record.items() if key != "seal"}
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def write_record(path: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Write a sealed record as JSON; returns it with its ``seal``."""
    plain = json.loads(json.dumps(record, ensure_ascii=False, default=_plain))
    plain["seal"] = seal_of(plain)
    path.write_bytes(_rendered(plain))
    return dict(plain)


def verify_run(run: EvaluationRun) -> list[RunProblem]:
    """Compare every byte of a run with the hashes that it was sealed with; empty when all is as it was."""
    problems = []
    if seal_of(run.record) != run.record.get("seal"):
        problems.append(_changed(RUN_FILE, "its content does not give its seal", str(run.record.get("seal"))))
    elif (run.path / RUN_FILE).read_bytes() != _rendered(run.record):
        problems.append(_changed(RUN_FILE, "says the same in other bytes", "the bytes in which it was written"))
    if run.decision and seal_of(run.decision) != run.decision.get("seal"):
        problems.append(
            _changed("decision", "the decision's content does not give its seal", str(run.decision.get("seal")))
        )
    sealed = run.decision.get("run_sha256")
    if sealed and (found := file_sha256(run.path / RUN_FILE)) != sealed:
        problems.append(_changed(RUN_FILE, f"has SHA-256 {found}", f"SHA-256 {sealed}, as {CONFIRMATION_FILE} says"))
    wanted: dict[str, str] = run.record["files"]
    for name, sha256 in sorted(wanted.items()):
        path = run.path / name
        if not path.is_file():
            problems.append(_changed(name, "is missing", f"SHA-256 {sha256}"))
        elif (found := file_sha256(path)) != sha256:
            problems.append(_changed(name, f"has SHA-256 {found}", f"SHA-256 {sha256}"))
    ours = {*wanted, RUN_FILE, CONFIRMATION_FILE, "rejection.json"}
    for path in sorted(run.path.rglob("*")):
        if path.is_file() and str(path.relative_to(run.path)) not in ours:
            problems.append(_changed(str(path.relative_to(run.path)), "does not belong to the run", "no such file"))
    return problems


def verify(settings: Settings, name: str | None = None) -> dict[str, Any]:
    """``verify_run`` of one run, or of every run: ``ok`` and one item a run, with the first file that differs.

    A confirmed run that the current version publishes must also have the hash that stands there.
    """
    runs = [find_run(settings, name)] if name else evaluation_runs(settings)
    published = _published_hashes(settings)
    items = []
    for run in runs:
        problems = verify_run(run)
        known = published.get(run.run_id)
        if known and known != run.decision.get("run_sha256"):
            problems.append(
                _changed(CONFIRMATION_FILE, f"seals {run.decision.get('run_sha256')}", f"{known}, as published")
            )
        item: dict[str, Any] = {
            "run_id": run.run_id, "state": run.state, "ok": not problems, "files_count": len(run.record["files"])
        }  # fmt: skip
        if problems:
            first = problems[0]
            item |= {
                "file": first.file, "problem": f"{first.file} {first.problem}", "expected": first.expected,
                "remedy": first.remedy, "problems_count": len(problems),
            }  # fmt: skip
        items.append(item)
    return {"ok": all(item["ok"] for item in items), "items": items}


def _published_hashes(settings: Settings) -> dict[str, str]:
    import duckdb

    try:
        version = resolve(settings)
    except ConfigurationError:
        return {}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{str(version.marts_path).replace(chr(39), chr(39) * 2)}' as published (read_only)")
        known = connection.execute(
            "select 1 from duckdb_tables() where database_name = 'published' and schema_name = 'evaluation'"
            " and table_name = 'evaluation_run'"
        ).fetchone()
        if known is None:
            return {}
        return dict(
            connection.execute(
                "select run_id, run_sha256 from published.evaluation.evaluation_run where run_sha256 is not null"
            ).fetchall()
        )


def _rendered(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode()


def _changed(file: str, problem: str, expected: str) -> RunProblem:
    return RunProblem(file, problem, expected, _RESTORE)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
