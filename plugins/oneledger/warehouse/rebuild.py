"""The warehouse made again from landing: what every later room holds can be worked out from the bytes received."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import duckdb

from oneledger.catalogue import Catalogue
from oneledger.landing import landed_sources, list_batches, source_lock
from oneledger.outcomes import Outcome, record_outcome, utc_now
from oneledger.raw import missing_batches, raw_connection, remake
from oneledger.settings import Settings
from oneledger.sources.refusal import RefusalError
from oneledger.warehouse.admission import admit
from oneledger.warehouse.connection import open_warehouse
from oneledger.warehouse.control import create_control_tables
from oneledger.warehouse.lock import writer_lock
from oneledger.warehouse.models import build_models

Progress = Callable[[str], None]

# The history of checks is no result of the batches: since when a check fails must outlive a rebuild.
_KEPT_TABLES = ("checks.result",)


def _silent(_: str) -> None:
    """No progress wanted."""


def rebuild(
    settings: Settings,
    catalogue: Catalogue,
    run_id: str,
    *,
    from_landing: bool = True,
    builds_models: bool = True,
    progress: Progress = _silent,
) -> list[Outcome]:
    """Drop the warehouse, admit every landed batch again and build all models from nothing.

    Published versions stay as they are; the next publication replaces the current one as always. The old
    file lies beside the new one as ``warehouse.previous.duckdb`` until the rebuild has ended.

    Args:
        settings: where everything lies.
        catalogue: as it is today; raw rows are read by it.
        run_id: the run that the outcomes belong to.
        from_landing: make every raw file again from the landed bytes; else only those that are missing.
        builds_models: run dbt afterwards.
        progress: told one line for each thing done.

    Returns:
        The outcomes of all steps; ``failed`` ones say what could not be made again.

    Raises:
        BusyError: another process writes the warehouse, or fetches one of the sources; nothing was changed.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(writer_lock(settings, run_id=run_id, step="rebuild"))
        # Raw is written by who fetches, too.
        for source in landed_sources(settings):
            held.enter_context(source_lock(settings, source, run_id, step="rebuild"))
        outcomes = _remake_raw(settings, catalogue, run_id, from_landing, progress)
        previous = _put_aside(settings.warehouse_path, progress)
        with open_warehouse(settings) as connection:
            create_control_tables(connection)
            if previous.exists():
                _keep_tables(connection, previous)
        progress("the warehouse is empty; every batch is admitted again")
        outcomes += admit(settings, catalogue, run_id=run_id, progress=progress)
        if builds_models:
            outcomes.append(build_models(settings, run_id=run_id, full_refresh=True, progress=progress))
        previous.unlink(missing_ok=True)
    return outcomes


def _remake_raw(
    settings: Settings, catalogue: Catalogue, run_id: str, from_landing: bool, progress: Progress
) -> list[Outcome]:
    batches = [
        batch
        for batch in list_batches(settings)
        if batch.source in catalogue.sources and batch.entity in catalogue.sources[batch.source].entities
    ]
    if not from_landing:
        batches = missing_batches(settings, batches)
    failed = []
    with raw_connection(settings) as connection:
        for number, batch in enumerate(batches, start=1):
            started_at = utc_now()
            try:
                remake(settings, catalogue, batch, connection)
            except RefusalError as error:
                failed.append(
                    record_outcome(
                        Outcome(
                            run_id=run_id,
                            step="load_raw",
                            verdict="failed",
                            source=batch.source,
                            entity=batch.entity,
                            batch_id=batch.batch_id,
                            business_on=batch.business_on,
                            message=f"batch {batch.batch_id} no longer fits the catalogue: {error}",
                            remedy="mend the source's entry in the catalogue and rebuild again",
                            started_at=started_at,
                        ),
                        settings.outcomes_dir,
                    )
                )
            if number % 200 == 0 or number == len(batches):
                progress(f"raw: {number} of {len(batches)} batches read again from landing")
    return failed


def _put_aside(path: Path, progress: Progress) -> Path:
    """Move the warehouse aside; its write-ahead log goes into it first, by opening it once.

    One that cannot be opened stays as ``warehouse.damaged.duckdb``: only the history of its checks is lost.
    """
    previous = path.with_name("warehouse.previous.duckdb")
    if path.exists():
        try:
            with duckdb.connect(str(path)) as connection:
                connection.execute("checkpoint")
        except (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException, duckdb.InternalException):
            damaged = path.with_name("warehouse.damaged.duckdb")
            for suffix in ("", ".wal"):
                if path.with_name(path.name + suffix).exists():
                    path.with_name(path.name + suffix).replace(damaged.with_name(damaged.name + suffix))
            progress(f"the warehouse cannot be opened; it lies as {damaged.name} for whoever looks into it, and since "
                     "when a check fails is not known any more")  # fmt: skip
            return previous
        path.replace(previous)
    return previous


def _keep_tables(connection: duckdb.DuckDBPyConnection, previous: Path) -> None:
    connection.execute(f"attach '{previous}' as previous (read_only)")
    for table in _KEPT_TABLES:
        schema, name = table.split(".")
        found = connection.execute(
            "select 1 from duckdb_tables() where database_name = 'previous' and schema_name = ? and table_name = ?",
            [schema, name],
        ).fetchone()
        if found:
            connection.execute(f"insert into {table} by name select * from previous.{table}")
    connection.execute("detach previous")
