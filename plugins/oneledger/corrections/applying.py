"""Apply a planned backfill, or give it up: by name, with a reason, only on the state that it was planned against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.corrections.carrying_out import Done, carry_out, fetch
from oneledger.corrections.comparing import compare_versions
from oneledger.corrections.planning import payloads, present_state
from oneledger.corrections.records import (
    Backfill,
    CorrectionRefusedError,
    find_backfill,
    keep,
    must_be_given,
    must_be_planned,
    now,
    with_state,
)
from oneledger.corrections.trial_home import landing_home
from oneledger.landing import source_lock
from oneledger.locks.register import CORRECTION
from oneledger.outcomes import new_run_id
from oneledger.publishing.versions import PublishedVersion, resolve
from oneledger.settings import Settings
from oneledger.warehouse.lock import writer_lock

Progress = Callable[[str], None]
Row = dict[str, Any]
_WHAT = {
    "version": "another version was published", "admitted": "the admitted data changed",
    "models": "the models or rules changed", "expectations": "the expectations changed",
    "catalogue": "the source catalogue changed", "decisions": "an evaluation was decided on",
}  # fmt: skip


def apply(
    settings: Settings, backfill_id: str, *, name: str, reason: str, progress: Progress = lambda _: None
) -> Backfill:
    """Carry a planned backfill out, and keep what came of it beside what was planned.

    Args:
        backfill_id: the record, or the first letters of it.
        name: who applies it, a person; another one than who planned it unless the installation says otherwise.
        reason: why, in a sentence.

    Returns:
        The record in state ``applied`` (``outcome.as_planned`` says whether all came as planned) or ``failed``.

    Raises:
        ConfigurationError: there is no such record, or name or reason is empty.
        CorrectionRefusedError: it is decided already, cannot be applied, is planned by the same person, or the
            installation or the source is not what it was planned against.
        BusyError: another process applies a backfill, writes the warehouse, or fetches the source.
    """
    must_be_given(name, reason)
    catalogue = load_catalogue(settings)
    run_id = new_run_id()
    with CORRECTION.held(settings, run_id=run_id, step=f"apply {backfill_id}"):
        backfill = find_backfill(settings, backfill_id)
        must_be_planned(backfill, "applied")
        _must_be_allowed(settings, backfill, name)
        source = backfill.request.source
        with (
            writer_lock(settings, run_id=run_id, step="backfill"),
            # Nobody lands anything of it between the question whether it is as planned and the answer's landing.
            source_lock(settings, source, run_id, step="backfill"),
        ):
            _must_be_as_planned(settings, backfill)
            if backfill.request.kind == "fetch":
                progress("ask the source whether it still gives what was planned")
                _source_must_be_as_planned(settings, catalogue, backfill, run_id)
            before = resolve(settings)
            decision = {"name": name.strip(), "reason": reason.strip(), "decided_at": now(), "run_id": run_id}
            backfill = keep(settings, with_state(backfill, "applying", decision=decision))
            try:
                done = carry_out(settings, catalogue, backfill.request, run_id, progress)
            except BaseException as error:
                keep(settings, with_state(backfill, "failed", outcome={"problem": f"{type(error).__name__}: {error}"}))
                raise
        progress("compare with the plan")
        outcome = _outcome(settings, backfill, before, done)
        return keep(settings, with_state(backfill, "applied" if done.version else "failed", outcome=outcome))


def abandon(settings: Settings, backfill_id: str, *, name: str, reason: str) -> Backfill:
    """Say that a plan is not to be applied; it stays, for whoever asks why.

    Raises:
        ConfigurationError: there is no such record, or name or reason is empty.
        CorrectionRefusedError: it is decided already.
        BusyError: another backfill is being applied or given up.
    """
    must_be_given(name, reason)
    with CORRECTION.held(settings, run_id=new_run_id(), step=f"abandon {backfill_id}"):
        backfill = find_backfill(settings, backfill_id)
        must_be_planned(backfill, "abandoned")
        decision = {"name": name.strip(), "reason": reason.strip(), "decided_at": now()}
        return keep(settings, with_state(backfill, "abandoned", decision=decision))


def _must_be_allowed(settings: Settings, backfill: Backfill, name: str) -> None:
    if not backfill.plan["can_be_applied"]:
        why = "; ".join([*backfill.plan["closed"], *backfill.plan["refused"]][:3])
        raise CorrectionRefusedError(
            f"{backfill.backfill_id} cannot be applied: on the copy nothing could be published. {why}. Mend that, then "
            "plan again."
        )
    if settings.backfill_needs_second_person and name.strip() == backfill.planned_by:
        raise CorrectionRefusedError(
            f"{backfill.backfill_id} was planned by {backfill.planned_by}; somebody else must look at it and apply it. "
            "An installation with one person sets ONELEDGER_BACKFILL_SECOND_PERSON=no."
        )


def _must_be_as_planned(settings: Settings, backfill: Backfill) -> None:
    present = present_state(settings)
    planned = backfill.plan["planned_against"]
    changed = [_WHAT[key] for key, value in present.items() if planned[key] != value]
    if changed:
        raise CorrectionRefusedError(
            f"{backfill.backfill_id} was planned on {backfill.planned_at} against version {planned['version']}; since "
            f"then {', '.join(changed)}. What it says may not hold any more: plan again with `oneledger backfill plan`."
        )


def _source_must_be_as_planned(settings: Settings, catalogue: Catalogue, backfill: Backfill, run_id: str) -> None:
    """Fetch aside, and compare the bytes with those of the plan: landing never takes what nobody looked at."""
    with landing_home(settings, backfill.request.source, run_id) as aside:
        batches, refused = fetch(aside, catalogue, backfill.request, run_id)
    if payloads(batches) == backfill.plan["planned_against"]["payloads"]:
        return
    planned = {one["batch_id"]: one["payload_hash"] for one in backfill.plan["batches"]}
    given = {one["batch_id"]: one["payload_hash"] for one in batches}
    other = sorted(one for one in planned.keys() | given.keys() if planned.get(one) != given.get(one))
    raise CorrectionRefusedError(
        f"{backfill.backfill_id}: the source does not give what was planned any more. Other bytes: "
        f"{', '.join(other[:5])}{'; ' + '; '.join(refused[:3]) if refused else ''}. Plan again with "
        "`oneledger backfill plan`."
    )


def _outcome(settings: Settings, backfill: Backfill, before: PublishedVersion, done: Done) -> Row:
    """What was done, and where it is not what was planned."""
    after = done.version
    changes = compare_versions(settings, before, after) if after else None
    planned = backfill.plan
    differences = []
    for what, was, came in (
        ("batches", payloads(planned["batches"]), payloads(done.batches)),
        ("admitted", planned["admitted"], done.admitted),
        ("content hash", planned["content_hash"], after.content_hash if after else None),
        ("changes", planned["changes"], changes),
    ):
        if was != came:
            differences.append({"what": what, "planned": was, "came": came})
    return {
        "run_id": (backfill.decision or {}).get("run_id"),
        "ended_at": now(),
        "batches": done.batches,
        "admitted": done.admitted,
        "refused": done.refused,
        "closed": done.closed,
        "version_before": before.version,
        "version": after.version if after else None,
        "content_hash": after.content_hash if after else None,
        "changes": changes,
        "as_planned": not differences,
        "differences": differences,
    }
