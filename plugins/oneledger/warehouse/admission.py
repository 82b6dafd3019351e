"""Admission: raw batches → typed rows in ``admitted``, broken rows in ``quarantine``, counts that add up.

A batch comes whole, together with what it replaces, its reports and its outcome, in one transaction: a
killed admission leaves nothing half, and the next one does what is left.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterator

import duckdb

from oneledger.catalogue import Catalogue, Entity
from oneledger.lineage.openlineage.delivery_events import tell_admit
from oneledger.outcomes import Outcome, record_outcome, utc_now
from oneledger.settings import Settings
from oneledger.warehouse.admitted_tables import create_admitted_tables
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables
from oneledger.warehouse.entity_admission import BatchCounts, CountsDoNotReconcileError, EntityAdmission
from oneledger.warehouse.expected import note_expected
from oneledger.warehouse.leftovers import clear_leftovers
from oneledger.warehouse.lock import writer_lock
from oneledger.warehouse.outcomes_due import note_outcomes_due, write_outcomes_due
from oneledger.warehouse.reader_copies import write_reader_copies
from oneledger.warehouse.registration import (
    AdmissionPlan,
    UnusableBatchError,
    known_batch_ids,
    plan_admission,
    raw_batch_ids,
    register_batches,
)
from oneledger.warehouse.releases import judge_mended_references_again, load_releases

Progress = Callable[[str], None]


def _silent(_: str) -> None:
    """No progress wanted."""


def admit(settings: Settings, catalogue: Catalogue, *, run_id: str, progress: Progress = _silent) -> list[Outcome]:
    """Admit every batch that counts and is not admitted, and take back those that count no more.

    Args:
        settings: where raw, landing and the warehouse lie.
        catalogue: the entities; raw batches of other entities are left alone.
        run_id: the run that the outcomes belong to.
        progress: told one line for each entity that changed.

    Returns:
        One outcome (step ``admit``) a batch, and one a failed entity, in catalogue order. The other
        entities are admitted even when one fails.

    Raises:
        WriterBusyError: another process writes the warehouse.
    """
    with writer_lock(settings, run_id=run_id, step="admit"), open_warehouse(settings) as connection:
        clear_leftovers(settings)
        create_control_tables(connection)
        outcomes = write_outcomes_due(connection, settings)
        for table in create_admitted_tables(connection, catalogue):
            progress(f"admitted.{table}: the catalogue changed its columns; its batches are admitted anew")
        note_expected(connection, catalogue)
        if load_releases(connection, settings):
            progress("releases: the batches of the rows concerned are judged again")
        known = known_batch_ids(connection)
        for entity in catalogue.all_entities:
            new = raw_batch_ids(settings, entity) - known.get((entity.source_id, entity.id), set())
            outcomes += _admit_entity(connection, settings, entity, new, run_id, progress)
        write_reader_copies(connection, settings)
    problem = tell_admit(settings, catalogue, run_id, outcomes).record_problem(settings, run_id, "admit")
    return [*outcomes, problem] if problem else outcomes


def _admit_entity(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    entity: Entity,
    new: set[str],
    run_id: str,
    progress: Progress,
) -> list[Outcome]:
    started_at = utc_now()
    try:
        with _transaction(connection):
            register_batches(connection, settings, entity, new)
            for batch_id in judge_mended_references_again(connection, entity):
                progress(f"{batch_id}: a code it refers to is registered by now; it is judged again")
            plan = plan_admission(connection, entity)
            due = _superseded_outcomes(connection, entity, new, run_id, started_at)
            note_outcomes_due(connection, due)
        if not plan.is_empty:
            counts = EntityAdmission(connection, settings, plan, run_id, progress).run(
                lambda admitted: note_outcomes_due(
                    connection, _admitted_outcomes(connection, plan, admitted, run_id, started_at)
                )
            )
            progress(_sentence(plan, counts))
        elif not due:
            return []
    except (UnusableBatchError, CountsDoNotReconcileError, duckdb.Error) as error:
        progress(f"{entity.full_id}: not admitted: {error}")
        done = write_outcomes_due(connection, settings)
        return [*done, _failed(settings, entity, run_id, started_at, error)]
    return write_outcomes_due(connection, settings)


@contextlib.contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.execute("begin transaction")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _admitted_outcomes(
    connection: duckdb.DuckDBPyConnection,
    plan: AdmissionPlan,
    counts: list[BatchCounts],
    run_id: str,
    started_at: dt.datetime,
) -> list[Outcome]:
    entity = plan.entity
    rules: dict[str, Counter[str]] = {}
    for table in ("quarantine.row", "checks.row_finding"):
        for batch_id, rule_id, rows in connection.execute(
            f"select batch_id, rule_id, count(*) from {table} "
            f"where source = ? and entity = ? and run_id = ? group by all order by all",
            [entity.source_id, entity.id, run_id],
        ).fetchall():
            rules.setdefault(batch_id, Counter())[rule_id] += rows
    replaced: dict[str, list[str]] = {}
    if not plan.is_recomputed:
        for batch_id in plan.removed:
            replaced.setdefault(batch_id.rpartition(".")[0], []).append(batch_id)
    outcomes = []
    for batch in counts:
        detail: dict[str, object] = {"findings_count": batch.findings}
        if batch.batch_id in rules:
            detail["rules"] = dict(rules[batch.batch_id])
        earlier = [old for old in replaced.get(batch.batch_id.rpartition(".")[0], []) if old != batch.batch_id]
        if earlier:
            detail["replaces"] = earlier
        if plan.is_recomputed:
            detail["is_recomputed"] = True
        message = f"{batch.accepted} of {batch.received} rows accepted"
        if batch.quarantined:
            message += f", {batch.quarantined} quarantined"
        if batch.superseded:
            message += f", {batch.superseded} superseded within the batch"
        if batch.findings:
            message += f", {batch.findings} accepted with a finding"
        outcomes.append(
            Outcome(
                run_id=run_id,
                step="admit",
                verdict="warning" if batch.quarantined else "good",
                source=entity.source_id,
                entity=entity.id,
                batch_id=batch.batch_id,
                business_on=batch.business_on,
                received_count=batch.received,
                accepted_count=batch.accepted,
                quarantined_count=batch.quarantined,
                superseded_count=batch.superseded,
                message=message,
                remedy=f"oneledger quarantine list --batch {batch.batch_id}" if batch.quarantined else "",
                detail=detail,
                started_at=started_at,
                ended_at=utc_now(),
            )
        )
    return outcomes


def _superseded_outcomes(
    connection: duckdb.DuckDBPyConnection, entity: Entity, new: set[str], run_id: str, started_at: dt.datetime
) -> list[Outcome]:
    """New batches that do not count: a newer revision arrived before they were admitted."""
    if not new:
        return []
    rows = connection.execute(
        """
        select batch_id, business_on, coalesce(row_count, 0)
        from control.batch
        where source = ? and entity = ? and not is_current and batch_id in (select unnest(?))
        order by business_on, partition, revision
        """,
        [entity.source_id, entity.id, sorted(new)],
    ).fetchall()
    return [
        Outcome(
            run_id=run_id,
            step="admit",
            verdict="good",
            source=entity.source_id,
            entity=entity.id,
            batch_id=batch_id,
            business_on=business_on,
            received_count=row_count,
            accepted_count=0,
            quarantined_count=0,
            superseded_count=row_count,
            message="superseded by a newer revision before it was admitted",
            started_at=started_at,
            ended_at=utc_now(),
        )
        for batch_id, business_on, row_count in rows
    ]


def _failed(settings: Settings, entity: Entity, run_id: str, started_at: dt.datetime, error: Exception) -> Outcome:
    first_line = str(error).splitlines()[0]
    return record_outcome(
        Outcome(
            run_id=run_id,
            step="admit",
            verdict="failed",
            source=entity.source_id,
            entity=entity.id,
            message=f"{entity.full_id} was not admitted, its rows stand as before: {first_line}",
            remedy="mend what the message names and run `oneledger run` again; the other entities are admitted",
            detail={"error": type(error).__name__, "text": json.dumps(str(error), ensure_ascii=False)[:4000]},
            started_at=started_at,
        ),
        settings.outcomes_dir,
    )


def _sentence(plan: AdmissionPlan, counts: list[BatchCounts]) -> str:
    rows = sum(batch.accepted for batch in counts)
    quarantined = sum(batch.quarantined for batch in counts)
    held = f", {quarantined:,} quarantined" if quarantined else ""
    anew = " anew" if plan.is_recomputed else ""
    batches = f"{len(counts)} batch{'es' if len(counts) != 1 else ''}"
    return f"{plan.entity.full_id}: {rows:,} rows of {batches} admitted{anew}{held}"
