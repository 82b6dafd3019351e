"""Carry a backfill out in one home, the trial's or the real one: fetch or take again, admit, gates, models, publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from oneledger.catalogue import Catalogue
from oneledger.corrections.records import CorrectionRefusedError, Request
from oneledger.landing import list_batches, source_lock
from oneledger.outcomes import Outcome
from oneledger.pipeline.ingest import ingest_source
from oneledger.pipeline.steps import Steps
from oneledger.publishing.publish import PublishRefusedError, recover
from oneledger.publishing.versions import PublishedVersion
from oneledger.raw import raw_connection, remake
from oneledger.settings import Settings
from oneledger.sources.refusal import RefusalError
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.lock import writer_lock

Progress = Callable[[str], None]
Row = dict[str, Any]
_TOLD = 5


@dataclass
class Done:
    """What was done in one home.

    Attributes:
        batches: those that came or were taken again: ``batch_id, business_on, payload_hash, rows_received,
            supersedes, rows_before``.
        dates: business dates whose usage marts are built again (first, last, count), by shape.
        admitted: one a batch that admission judged: received, accepted, quarantined, superseded.
        refused: deliveries that were not taken, in words.
        closed: checks that shut a gate, in words; nothing is published then.
        models: how many models were built.
        version: the version published; None when a gate is shut or the build failed.
    """

    batches: list[Row] = field(default_factory=list)
    dates: list[Row] = field(default_factory=list)
    admitted: list[Row] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    models: str = ""
    version: PublishedVersion | None = None


def fetch(settings: Settings, catalogue: Catalogue, request: Request, run_id: str) -> tuple[list[Row], list[str]]:
    """Ask the source for the range again; bytes that are landed already come to nothing.

    Returns:
        The new batches beside what they supersede, and what was refused.
    """
    before = {batch.batch_id: batch for batch in list_batches(settings, request.source, request.entity)}
    outcomes = ingest_source(
        request.source, settings, catalogue, run_id=run_id, as_of=request.as_of, entities=[request.entity],
        is_anew=True, between=(request.first, request.last),
    )  # fmt: skip
    newest = {batch.partition: batch for batch in before.values()}
    rows = []
    for batch in list_batches(settings, request.source, request.entity):
        if batch.batch_id in before:
            continue
        earlier = newest.get(batch.partition)
        rows.append(_batch(batch, earlier))
    return rows, _refused(outcomes)


def take_again(settings: Settings, catalogue: Catalogue, request: Request) -> tuple[list[Row], list[str]]:
    """Read the landed bytes of the range again as the catalogue reads them today, and have admission judge them anew.

    Called by the holder of the writer's lock. ``changes`` and ``full`` deliveries are merged anew as a whole.
    """
    with open_warehouse(settings) as connection:
        current = {
            row[0]
            for row in connection.execute(
                "select batch_id from control.batch where is_current and source = ? and entity = ?"
                " and business_on between ? and ?",
                [request.source, request.entity, request.first, request.last],
            ).fetchall()
        }
    batches = [one for one in list_batches(settings, request.source, request.entity) if one.batch_id in current]
    refused = []
    taken = []
    with raw_connection(settings) as connection:
        for batch in batches:
            try:
                remake(settings, catalogue, batch, connection)
                taken.append(batch)
            except RefusalError as error:
                refused.append(f"{batch.batch_id}: {error}")
    with open_warehouse(settings) as connection:
        # A batch whose contract is not the one it was admitted by is admitted again.
        connection.execute(
            "update control.admitted_batch set contract_hash = 'taken again' where batch_id in (select unnest(?))",
            [[one.batch_id for one in taken]],
        )
    return [_batch(one, one) for one in taken], refused


def carry_out(
    settings: Settings, catalogue: Catalogue, request: Request, run_id: str, progress: Progress = lambda _: None
) -> Done:
    """All steps in order, under one lock; readers keep the version from before when a gate shuts.

    Raises:
        BusyError: another process writes the warehouse, or fetches the source.
    """
    done = Done()
    steps = Steps(settings, catalogue, run_id, None, progress)
    with writer_lock(settings, run_id=run_id, step="backfill"):
        recover(settings)
        progress("fetch" if request.kind == "fetch" else "take the landed bytes again")
        if request.kind == "fetch":
            done.batches, done.refused = fetch(settings, catalogue, request, run_id)
        else:
            # Raw is written by who fetches, too.
            with source_lock(settings, request.source, run_id, step="backfill"):
                done.batches, done.refused = take_again(settings, catalogue, request)
        if not done.batches:
            return done
        progress("admit")
        outcomes = steps.admit()
        done.admitted = [_admitted(one) for one in outcomes if one.batch_id]
        done.refused += [one.message for one in outcomes if one.verdict == "failed"]
        done.dates = _pending(settings)
        _build_and_publish(steps, done, progress)
    return done


def _build_and_publish(steps: Steps, done: Done, progress: Progress) -> None:
    progress("gate of the sources")
    done.closed = _closed(steps.gate_sources())
    if done.closed:
        return
    progress("build the models")
    built = steps.build_models()
    done.models = built.message
    if built.verdict == "failed":
        done.closed = [built.message]
        return
    progress("gate of the marts")
    done.closed = _closed(steps.gate_marts())
    if done.closed:
        return
    progress("publish")
    try:
        done.version = steps.publish()
    except PublishRefusedError as error:
        done.closed = [str(error)]


def must_have_done_something(done: Done, request: Request) -> None:
    """Raise when there is nothing to plan.

    Raises:
        CorrectionRefusedError: every delivery was refused, or none differs from what is landed.
    """
    if done.batches:
        return
    what = f"{request.source}.{request.entity} from {request.first} to {request.last}"
    if done.refused:
        raise CorrectionRefusedError(
            f"Nothing of {what} could be taken: {'; '.join(done.refused[:_TOLD])}. The sender mends it; plan again."
        )
    if request.kind == "readmit":
        raise CorrectionRefusedError(
            f'No batch of {what} counts. `oneledger query "from marts.source_freshness"` shows what was delivered.'
        )
    raise CorrectionRefusedError(
        f"The source holds nothing of {what} that is not landed already: there is nothing to correct. Ask the sender "
        "to deliver the corrected data, or use --readmit after the catalogue changed."
    )


def _batch(batch: Any, earlier: Any) -> Row:
    return {
        "batch_id": batch.batch_id,
        "business_on": batch.business_on.isoformat(),
        "payload_hash": batch.payload_hash,
        "rows_received": batch.row_count,
        "supersedes": earlier.batch_id if earlier else None,
        "rows_before": earlier.row_count if earlier else None,
    }


def _admitted(outcome: Outcome) -> Row:
    return {
        "batch_id": outcome.batch_id,
        "received": outcome.received_count,
        "accepted": outcome.accepted_count,
        "quarantined": outcome.quarantined_count,
        "superseded": outcome.superseded_count,
    }


def _refused(outcomes: list[Outcome]) -> list[str]:
    return [f"{one.source}.{one.entity}: {one.message}" for one in outcomes if one.verdict == "failed"]


def _pending(settings: Settings) -> list[Row]:
    with open_warehouse(settings, read_only=True) as connection:
        found = connection.execute(
            "select shape, min(usage_on), max(usage_on), count(*) from control.pending_date group by shape order by 1"
        ).fetchall()
    return [
        {"shape": shape, "first": first.isoformat(), "last": last.isoformat(), "count": count}
        for shape, first, last, count in found
    ]


def _closed(gate: Any) -> list[str]:
    return [
        f"gate {gate.gate}: {one.title_zh} {one.title_en} ({one.entity}): {one.observed}. {one.owner}: {one.remedy_en}"
        for one in gate.failed
        if one.blocks
    ]
