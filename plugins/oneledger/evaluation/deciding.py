"""Confirm or reject a draft, by name and with a reason. What is confirmed is sealed and never changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oneledger.audit.seals import present_anchor, seal_decision_on_run
from oneledger.audit.signing import signing_key
from oneledger.evaluation.runs import evaluation_runs, find_run, verify_run, write_record
from oneledger.locks.register import DECISION
from oneledger.outcomes import utc_now
from oneledger.publishing.build import sync
from oneledger.publishing.facts import file_sha256
from oneledger.settings import ConfigurationError, Settings
from oneledger.warehouse.evaluation_runs import CONFIRMATION_FILE, REJECTION_FILE, RUN_FILE, EvaluationRun

_READ_ONLY_FILE = 0o444
_READ_ONLY_FOLDER = 0o555
_PARTIAL = ".partial-"


class DecisionRefusedError(Exception):
    """This run cannot be confirmed or rejected now; the message says why and what to do."""


def confirm(
    settings: Settings,
    run_id: str,
    *,
    name: str,
    reason: str,
    supersedes: str | None = None,
    through: dict[str, Any] | None = None,
) -> EvaluationRun:
    """Seal a draft: from now on it is the result of its round.

    Args:
        name: who confirms it, a person.
        reason: why, in a sentence.
        supersedes: the confirmed run of the same round that this one replaces, when there is one.
        through: what is known of the way in which the approval was given (Airflow's user, DAG run …).

    Raises:
        DecisionRefusedError: the run is decided, was stopped by the gate or changed since it was made, or the round has
            a confirmed run already.
        ConfigurationError: there is no such run, name or reason is empty, or the signing key cannot be used.
        BusyError: another decision is being sealed, and did not end while this one waited.
    """
    _must_be_given(name, reason)
    signing_key()
    with DECISION.held(settings, run_id=run_id, step="confirm"):
        run = find_run(settings, run_id)
        _must_be_open(run, "confirmed")
        if problems := verify_run(run):
            raise DecisionRefusedError(
                f"{run.run_id} is not what was made: {problems[0].file} {problems[0].problem}, expected "
                f"{problems[0].expected}. {problems[0].remedy}"
            )
        replaced = _replaced(settings, run, supersedes)
        decision = {
            "run_id": run.run_id,
            "decided_at": _now(),
            "name": name.strip(),
            "reason": reason.strip(),
            "supersedes": replaced,
            "through": through,
            "run_sha256": file_sha256(run.path / RUN_FILE),
            "content_hash": run.record["content_hash"],
            "anchor_before": present_anchor(settings),
        }
        _write(run.path, CONFIRMATION_FILE, decision)
        for path in sorted(run.path.rglob("*"), reverse=True):
            path.chmod(_READ_ONLY_FOLDER if path.is_dir() else _READ_ONLY_FILE)
        run.path.chmod(_READ_ONLY_FOLDER)
        seal_decision_on_run(settings, find_run(settings, run.run_id))
    return find_run(settings, run.run_id)


def reject(
    settings: Settings, run_id: str, *, name: str, reason: str, through: dict[str, Any] | None = None
) -> EvaluationRun:
    """Say that a draft is not to be the result of its round; it stays as it is, for whoever asks why.

    Raises:
        DecisionRefusedError: the run is decided already.
        ConfigurationError: there is no such run, name or reason is empty, or the signing key cannot be used.
        BusyError: another decision is being sealed, and did not end while this one waited.
    """
    _must_be_given(name, reason)
    signing_key()
    with DECISION.held(settings, run_id=run_id, step="reject"):
        run = find_run(settings, run_id)
        _must_be_open(run, "rejected")
        decision = {
            "run_id": run.run_id, "decided_at": _now(), "name": name.strip(), "reason": reason.strip(),
            "through": through, "anchor_before": present_anchor(settings),
        }  # fmt: skip
        _write(run.path, REJECTION_FILE, decision)
        seal_decision_on_run(settings, find_run(settings, run.run_id))
    return find_run(settings, run.run_id)


def _must_be_given(name: str, reason: str) -> None:
    for what, text in (("--name", name), ("--reason", reason)):
        if not text.strip():
            raise ConfigurationError(f"{what} is empty. A decision is kept with the person's name and the reason.")


def _must_be_open(run: EvaluationRun, wanted: str) -> None:
    if run.decision:
        raise DecisionRefusedError(
            f"{run.run_id} cannot be {wanted}: it was {run.state} by {run.decision['name']} on "
            f"{run.decision['decided_at']} ({run.decision['reason']}). A decision is never changed; make a new draft "
            "with `oneledger evaluate`."
        )
    if run.state == "stopped" and wanted == "confirmed":
        blocking = [one for one in run.record["gate"]["results"] if one["blocks"]]
        told = "; ".join(f"{one['title_en']} ({one['entity']}): {one['observed']}" for one in blocking[:3])
        raise DecisionRefusedError(
            f"{run.run_id} cannot be confirmed: the gate of the evaluation stopped it. {told}. "
            f"{blocking[0]['owner']}: {blocking[0]['remedy_en']}."
        )


def _replaced(settings: Settings, run: EvaluationRun, supersedes: str | None) -> str | None:
    """The run that this one replaces."""
    in_force = [one for one in evaluation_runs(settings) if one.state == "confirmed" and one.round_id == run.round_id]
    if supersedes is None:
        if in_force:
            raise DecisionRefusedError(
                f"Round {run.round_id} has a confirmed run already: {in_force[0].run_id}, by "
                f"{in_force[0].decision['name']}. To replace it say so: --supersedes {in_force[0].run_id}."
            )
        return None
    replaced = find_run(settings, supersedes)
    if replaced.run_id not in [one.run_id for one in in_force]:
        known = in_force[0].run_id if in_force else "none"
        raise DecisionRefusedError(
            f"{replaced.run_id} is not the confirmed run of round {run.round_id}, which is {known}. "
            + (f"Give --supersedes {known}." if in_force else "Leave --supersedes out.")
        )
    return replaced.run_id


def _write(folder: Path, name: str, decision: dict[str, Any]) -> None:
    """Beside the run under a partial name first: a decision is there whole or not at all."""
    partial = folder.parent / f"{_PARTIAL}{folder.name}-{name}"
    write_record(partial, decision)
    sync(partial)
    partial.rename(folder / name)
    sync(folder)


def _now() -> str:
    return utc_now().isoformat(timespec="milliseconds").removesuffix("+00:00")
