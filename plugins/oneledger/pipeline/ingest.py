"""Ingest: fetch what is new from one source, land the bytes, convert them to raw."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Sequence

from oneledger.audit.seals import seal_landing
from oneledger.catalogue import Catalogue, Entity, Source
from oneledger.landing import LandingIndex, LandingWriter, SourceBusyError, source_lock
from oneledger.lineage.openlineage.delivery_events import tell_ingest
from oneledger.outcomes import Outcome, record_outcome
from oneledger.pipeline.deliveries import DeliveryTaker, Progress
from oneledger.raw import missing_batches, raw_connection, remake
from oneledger.settings import ConfigurationError, Settings
from oneledger.sources import Connection, RefusalError, is_configured, resolve_connection
from oneledger.sources.drop_folder import list_folder, unmatched_hint
from oneledger.sources.files import receive_files
from oneledger.sources.http import PARTIAL_NAME, receive_answer
from oneledger.sources.http_client import HttpApi
from oneledger.sources.sql import open_snapshot, receive_rows

Silent: Progress = lambda source, entity, message, rows: None  # noqa: E731


def active_sources(catalogue: Catalogue) -> list[Source]:
    """The sources that take part in a run: all but the optional ones whose connection is not configured."""
    return [source for source in catalogue.sources.values()
            if not source.optional or is_configured(source.connection)]  # fmt: skip


def ingest_source(
    source: str | Source,
    settings: Settings,
    catalogue: Catalogue,
    *,
    run_id: str,
    as_of: dt.date | None = None,
    entities: Sequence[str] | None = None,
    is_anew: bool = False,
    between: tuple[dt.date, dt.date] | None = None,
    progress: Progress = Silent,
) -> list[Outcome]:
    """Fetch, land and convert what is new of one source. One entity's trouble does not stop the others.

    Different sources may be ingested at the same time by different processes.

    Args:
        source: its id, or the source.
        settings: paths and limits.
        catalogue: what the source delivers.
        run_id: stands in every outcome.
        as_of: business date of deliveries that carry none; files of later days wait. Default ``settings.as_of``.
        entities: only these.
        is_anew: ask for everything, not only for what changed since the watermark (after the source mended records
            without marking them as changed).
        between: of a drop folder only the files of these business dates (first, last), also those that were taken
            before; a source that is asked gives no single days.
        progress: called with source, entity, message and the number of rows so far (or None).

    Returns:
        The outcomes (steps ``extract`` and ``load_raw``), already recorded.

    Raises:
        ConfigurationError: the catalogue has no such source or entity.
    """
    source = catalogue.source(source) if isinstance(source, str) else source
    wanted = [catalogue.entity(source.id, name) for name in entities or source.entities]
    if as_of is not None:
        settings = dataclasses.replace(settings, as_of=as_of)
    if source.optional and not is_configured(source.connection):
        return []
    try:
        with source_lock(settings, source.id, run_id):
            outcomes = _ingest_locked(source, wanted, settings, catalogue, run_id, progress, is_anew, between)
    except SourceBusyError as error:
        outcome = Outcome(run_id, "extract", "failed", source.id, message=error.problem, remedy=error.remedy)
        return [record_outcome(outcome, settings.outcomes_dir)]
    problem = tell_ingest(settings, source, run_id, outcomes).record_problem(settings, run_id, "load_raw")
    return [*outcomes, problem] if problem else outcomes


def _ingest_locked(
    source: Source,
    wanted: list[Entity],
    settings: Settings,
    catalogue: Catalogue,
    run_id: str,
    progress: Progress,
    is_anew: bool,
    between: tuple[dt.date, dt.date] | None,
) -> list[Outcome]:
    index = LandingIndex(settings, source.id)
    try:
        with raw_connection(settings) as connection:
            writer = LandingWriter(settings, index)
            taker = DeliveryTaker(settings, source, run_id, writer, connection, progress, is_anew, between)
            taker.record_due()
            _remake_missing(taker, catalogue, wanted)
            try:
                resolved = resolve_connection(source.connection)
                _READERS[source.connector](taker, wanted, resolved)
            except (ConfigurationError, RefusalError) as error:
                # The source as a whole cannot be read: every entity that has no outcome yet says so.
                taker.fail_all(wanted, error)
            taker.commit()
            return taker.outcomes
    finally:
        seal_landing(settings, index)
        index.close()


def _remake_missing(taker: DeliveryTaker, catalogue: Catalogue, wanted: list[Entity]) -> None:
    """Batches that were landed but not converted (their Parquet file was lost or removed) are converted now."""
    ids = {entity.id for entity in wanted}
    batches = [batch for batch in taker.writer.index.batches() if batch.entity in ids]
    for batch in missing_batches(taker.settings, batches):
        outcome = Outcome(taker.run_id, "load_raw", "good", batch.source, batch.entity, batch.batch_id,
                          business_on=batch.business_on, received_count=batch.row_count,
                          message="made again from landing")  # fmt: skip
        try:
            remake(taker.settings, catalogue, batch, taker.connection)
        except (RefusalError, OSError, ValueError) as error:
            outcome.verdict = "failed"
            outcome.message = f"The landed batch cannot be made again: {error}"
            outcome.remedy = getattr(error, "remedy", "Restore the batch directory from a backup.")
        taker.record(outcome)


def _read_http(taker: DeliveryTaker, wanted: list[Entity], connection: Connection) -> None:
    index = taker.writer.index
    with HttpApi(connection, taker.source.http) as api:
        for entity in wanted:
            with taker.attempt(entity):
                taker.writer.clear_partials(entity, keep=[PARTIAL_NAME])
                last = index.last(entity.id) if entity.delivery == "changes" and not taker.is_anew else None
                received = receive_answer(
                    entity, api, taker.writer.partial_directory(entity, PARTIAL_NAME),
                    taker.settings.business_date(), since=last.watermark if last else None,
                    known_tag=lambda url, entity=entity: _known_tag(taker, entity, url),  # type: ignore[misc]
                    progress=taker.counting(entity),
                )  # fmt: skip
                if received is None:
                    taker.unchanged(entity, "the source says that nothing changed (304)")
                else:
                    taker.take(entity, received)
                taker.commit()


def _known_tag(taker: DeliveryTaker, entity: Entity, url: str) -> str | None:
    """The tag to ask with. A server whose tag stays while its data change would never be read again: by default a
    tag is trusted on the day as of which its answer was given, and the next day asks without it."""
    trust = taker.source.http.trust_etag
    last = taker.writer.index.last(entity.id)
    is_of_today = last is not None and last.business_on >= taker.settings.business_date()
    if trust == "never" or taker.is_anew or (trust == "same_day" and not is_of_today):
        return None
    return taker.writer.index.answer_tag(entity.id, url)


def _read_sql(taker: DeliveryTaker, wanted: list[Entity], connection: Connection) -> None:
    with open_snapshot(connection, taker.source.sql.timeout_seconds) as database:
        for entity in wanted:
            with taker.attempt(entity):
                taker.writer.clear_partials(entity)
                last = None
                if entity.delivery == "changes" and not taker.is_anew:
                    last = taker.writer.index.last(entity.id)
                taker.take(entity, receive_rows(
                    entity, database, lambda entity=entity: taker.writer.partial_directory(entity),  # type: ignore[misc]
                    taker.settings.business_date(), last.watermark if last else None, taker.counting(entity),
                ))  # fmt: skip
                taker.commit()


def _read_files(taker: DeliveryTaker, wanted: list[Entity], connection: Connection) -> None:
    folder = connection.folder()
    settings = taker.settings
    for entity in wanted:
        with taker.attempt(entity):
            taker.writer.clear_partials(entity)
            listing = list_folder(
                folder, entity, taker.writer.index.seen_files(entity.id), settings.as_of, taker.between
            )
            for waiting in listing.waiting:
                taker.wait(entity, waiting)
            for number, group in enumerate(listing.groups, start=1):
                with taker.attempt(entity, file=group[0].name):
                    taker.take(entity, receive_files(
                        entity, group, lambda entity=entity: taker.writer.partial_directory(entity),  # type: ignore[misc]
                        settings.business_date(),
                    ))  # fmt: skip
                    taker.commit_when_full(entity, number, len(listing.groups))
            if not listing.groups and not listing.waiting:
                if listing.known_count:
                    taker.unchanged(entity, f"no new file; {listing.known_count} known ones did not change")
                else:
                    taker.nothing(entity, unmatched_hint(folder, entity))
            taker.commit()


_READERS: dict[str, Callable[[DeliveryTaker, list[Entity], Connection], None]] = {
    "http": _read_http,
    "sql": _read_sql,
    "delimited": _read_files,
    "workbook": _read_files,
}
