"""Admission of one entity: what the plan removes and adds, set-based, inside the caller's transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from oneledger.catalogue import Entity
from oneledger.memory import bytes_of
from oneledger.quality.row_rules import CHECK_COLUMNS, Check, checks_relation, received_value
from oneledger.raw import raw_path
from oneledger.settings import Settings
from oneledger.time_left import TimeLeft
from oneledger.warehouse.contract import admitted_table, contract_hash, date_column, filled_columns
from oneledger.warehouse.control import utc_timestamp
from oneledger.warehouse.merging import accepted_rows, merge_chunk, settle_reports
from oneledger.warehouse.received_text import sql_text
from oneledger.warehouse.registration import AdmissionPlan, UnusableBatchError
from oneledger.warehouse.releases import RELEASE_MARKS, waive
from oneledger.warehouse.repeated_rows import find_repeated_rows, report_conflicts
from oneledger.warehouse.row_staging import (
    StagingStatement,
    raw_columns_of,
    raw_row_counts,
    received_text_of,
)

# A staged row of the widest shape takes about half a kilobyte in memory; a chunk may take a quarter of the limit.
_BYTES_A_STAGED_ROW = 512
_SHARE_OF_MEMORY = 4
_FEWEST_ROWS_A_CHUNK = 100_000
_MOST_ROWS_A_CHUNK = 4_000_000


class CountsDoNotReconcileError(Exception):
    """Rows received are not rows accepted, quarantined and superseded: an error of admission itself."""


@dataclass(frozen=True)
class BatchCounts:
    """Rows of one admitted batch; ``received = accepted + quarantined + superseded``."""

    batch_id: str
    business_on: dt.date
    received: int
    accepted: int
    quarantined: int
    superseded: int
    findings: int


@dataclass(frozen=True)
class StagedChunk:
    """The raw files that ``chunk`` was read from, and whether any of its rows share a key within a batch."""

    files: list[Path]
    raw_columns: set[str]
    has_repeated: bool


@dataclass
class EntityAdmission:
    """Carries out one plan, in transactions of its own. The caller holds the writer's lock."""

    connection: duckdb.DuckDBPyConnection
    settings: Settings
    plan: AdmissionPlan
    run_id: str
    progress: Callable[[str], None]
    found_at: dt.datetime = field(default_factory=utc_timestamp)

    @property
    def entity(self) -> Entity:
        return self.plan.entity

    def run(self, before_commit: Callable[[list[BatchCounts]], None]) -> list[BatchCounts]:
        """Remove and add; returns the counts of the added batches in delivery order.

        What belongs together commits together: for partitions each chunk of whole batches with what it
        replaces, for merged deliveries everything. A failure leaves what was committed before it.

        Args:
            before_commit: called in each transaction with the counts of its batches.

        Raises:
            UnusableBatchError: raw rows of a batch are missing.
            CountsDoNotReconcileError: the counts of a batch do not add up.
            duckdb.Error: a raw file cannot be read.
        """
        files = {batch_id: self.raw_file(batch_id) for batch_id in self.plan.added}
        rows = raw_row_counts(self.connection, list(files.values())) if files else {}
        statement = StagingStatement.of(self.entity)
        all_counts: list[BatchCounts] = []
        left = TimeLeft()
        for removed, chunks in self._units(list(self._chunks(rows))):
            # A table staged within the transaction that reads it is read by one thread, at half the speed.
            staged = self.stage(statement, chunks[0], files) if chunks else None
            self.connection.execute("begin transaction")
            try:
                self._remove(removed, kept=set(self.plan.added))
                counts: list[BatchCounts] = []
                for chunk in chunks:
                    staged = staged or self.stage(statement, chunk, files)
                    counts += self._add(statement, chunk, staged, rows)
                    staged = None
                self._note_source_state()
                before_commit(counts)
                self.connection.execute("commit")
            except BaseException:
                self.connection.execute("rollback")
                raise
            all_counts += counts
            if len(all_counts) < len(files):
                self.progress(
                    f"{self.entity.full_id}: {len(all_counts)} of {len(files)} batches admitted"
                    + left.words(sum(one.received for one in all_counts), sum(rows.values()))
                )
        return all_counts

    def _units(self, chunks: list[list[str]]) -> list[tuple[list[str], list[list[str]]]]:
        """What commits together: the batches that go, and the chunks that come."""
        removed = list(self.plan.removed)
        if self.entity.delivery != "partition" or len(chunks) < 2:
            return [(removed, chunks)]
        units = []
        for chunk in chunks:
            partitions = {_partition_of(batch_id) for batch_id in chunk}
            going = [batch_id for batch_id in removed if _partition_of(batch_id) in partitions]
            removed = [batch_id for batch_id in removed if _partition_of(batch_id) not in partitions]
            units.append((going, [chunk]))
        if removed:
            units.append((removed, []))
        return units

    def raw_file(self, batch_id: str) -> Path:
        """The raw rows of a batch; UnusableBatchError when they are gone."""
        path = raw_path(self.settings, self.entity.source_id, self.entity.id, batch_id)
        if not path.exists():
            raise UnusableBatchError(
                f"Batch {batch_id} is to be admitted and its raw rows {path} are gone. "
                f"Run `oneledger rebuild --from-landing`: landing still has the bytes."
            )
        return path

    def _chunks(self, rows: dict[str, int]) -> Iterator[list[str]]:
        """Batches in delivery order, as many at a time as memory allows; a larger batch goes alone and spills."""
        memory = self.connection.execute("select current_setting('memory_limit')").fetchone()
        limit = (bytes_of(memory[0]) if memory else 0) // _SHARE_OF_MEMORY // _BYTES_A_STAGED_ROW
        most = min(max(limit, _FEWEST_ROWS_A_CHUNK), _MOST_ROWS_A_CHUNK)
        chunk: list[str] = []
        size = 0
        for batch_id in self.plan.added:
            if chunk and size + rows[batch_id] > most:
                yield chunk
                chunk, size = [], 0
            chunk.append(batch_id)
            size += rows[batch_id]
        if chunk:
            yield chunk

    def _remove(self, removed: list[str], kept: set[str]) -> None:
        """Take back the rows, reports and counts of the removed batches; their dates are to be published anew."""
        if not removed:
            return
        connection, entity = self.connection, self.entity
        connection.execute(
            "create or replace temp table leaving as select batch_id, business_on from control.admitted_batch "
            "where batch_id in (select unnest(?))",
            [removed],
        )
        bounds = connection.execute("select min(business_on), max(business_on) from leaving").fetchone()
        # The dates come first: row groups of other dates are then passed over by their minimum and maximum.
        condition = (
            f"_business_on between ? and ? and _batch_id in (select batch_id from leaving)"
            f"{' and source = ' + sql_text(entity.source_id) if entity.shape else ''}"
        )
        dates = date_column(entity)
        if dates:
            connection.execute(
                f"insert or ignore into control.pending_date select distinct ?, {dates} "
                f"from {admitted_table(entity)} where {condition}",
                [entity.shape, *(bounds or ())],
            )
        connection.execute(f"delete from {admitted_table(entity)} where {condition}", list(bounds or ()))
        for table in ("quarantine.row", "checks.row_finding"):
            connection.execute(
                f"delete from {table} where source = ? and entity = ? and batch_id in (select batch_id from leaving)",
                [entity.source_id, entity.id],
            )
        connection.execute(
            "delete from control.admitted_batch where batch_id in (select unnest(?))",
            [[batch_id for batch_id in removed if batch_id not in kept]],
        )

    def stage(self, statement: StagingStatement, chunk: list[str], files: dict[str, Path]) -> StagedChunk:
        """Fill the temporary tables ``arriving``, ``chunk`` and ``repeated`` (the last only when rows share a key)."""
        connection = self.connection
        paths = [files[batch_id] for batch_id in chunk]
        connection.execute(
            "create or replace temp table arriving as "
            "select batch_id, business_on, "
            "cast(row_number() over (order by business_on, partition, revision) as integer) as ordinal "
            "from control.batch where batch_id in (select unnest(?))",
            [chunk],
        )
        raw_columns = raw_columns_of(connection, paths)
        connection.execute(f"create or replace temp table chunk as {statement.select(paths, raw_columns)}")
        waive(connection, statement.checks)
        return StagedChunk(paths, raw_columns, find_repeated_rows(connection, self.entity))

    def _add(
        self, statement: StagingStatement, chunk: list[str], staged: StagedChunk, rows: dict[str, int]
    ) -> list[BatchCounts]:
        connection, entity = self.connection, self.entity
        counts = self._counts(chunk, rows, staged.has_repeated)
        self._report(statement, staged, counts)
        inserted = merge_chunk(connection, entity, has_repeated=staged.has_repeated)
        accepted = sum(batch.accepted for batch in counts)
        if inserted != accepted:
            raise CountsDoNotReconcileError(
                f"{entity.full_id}: {accepted} rows of {len(chunk)} batches were to be admitted, {inserted} were. "
                f"Nothing was changed. This is an error of OneLedger: report it with batch {chunk[0]}."
            )
        if entity.delivery != "partition":
            settle_reports(connection, entity, _record_key(entity))
        dates = date_column(entity)
        if dates:
            connection.execute(
                f"insert or ignore into control.pending_date select distinct ?, {dates} from chunk "
                f"where _broken is null",
                [entity.shape],
            )
        self._note_admitted(counts)
        for table in ("chunk", "repeated"):
            connection.execute(f"drop table if exists temp.{table}")
        return counts

    def _counts(self, chunk: list[str], rows: dict[str, int], has_repeated: bool) -> list[BatchCounts]:
        repeated = (
            "select _ordinal, count(*) filter (verdict = 'superseded') as superseded, "
            "count(*) filter (verdict = 'conflict') as conflicting from repeated group by 1"
            if has_repeated
            else "select null::integer as _ordinal, 0 as superseded, 0 as conflicting where false"
        )
        found = self.connection.execute(
            f"""
            with staged as (
                select
                    _ordinal, count(*) as received, count(*) filter (_broken is not null) as broken,
                    count(*) filter (_warned is not null and {accepted_rows(has_repeated)}) as findings
                from chunk group by 1
            ),
            repeated_rows as ({repeated})
            select
                arriving.batch_id, arriving.business_on, coalesce(staged.received, 0), coalesce(staged.broken, 0),
                coalesce(repeated_rows.superseded, 0), coalesce(repeated_rows.conflicting, 0),
                coalesce(staged.findings, 0)
            from arriving
            left join staged on arriving.ordinal = staged._ordinal
            left join repeated_rows on arriving.ordinal = repeated_rows._ordinal
            order by arriving.ordinal
            """
        ).fetchall()
        counts = []
        for batch_id, business_on, received, broken, superseded, conflicting, findings in found:
            quarantined = broken + conflicting
            # Received is what the raw file says it holds, counted without reading its rows.
            if received != rows[batch_id]:
                raise CountsDoNotReconcileError(
                    f"Batch {batch_id}: raw holds {rows[batch_id]} rows, {received} of them carry its batch id. "
                    f"Nothing was changed. Remove {self.raw_file(batch_id)} and run `oneledger ingest` again."
                )
            counts.append(
                BatchCounts(
                    batch_id,
                    business_on,
                    received,
                    received - quarantined - superseded,
                    quarantined,
                    superseded,
                    findings,
                )
            )
        if [batch.batch_id for batch in counts] != chunk:
            raise CountsDoNotReconcileError(
                f"{self.entity.full_id}: batches {chunk[0]} to {chunk[-1]} were to be admitted, the warehouse knows "
                f"{len(counts)} of {len(chunk)}. Nothing was changed. This is an error of OneLedger: report it."
            )
        return counts

    def _report(self, statement: StagingStatement, staged: StagedChunk, counts: list[BatchCounts]) -> None:
        run = [self.run_id, self.entity.source_id, self.entity.id, self.found_at]
        if any(batch.quarantined for batch in counts):
            self._report_broken("quarantine.row", "_broken is not null", "_broken", statement.checks, run)
            if staged.has_repeated:
                report_conflicts(
                    self.connection, statement, staged.files, staged.raw_columns, _record_key(self.entity), run
                )
        if any(batch.findings for batch in counts):
            found = f"_warned is not null and {accepted_rows(staged.has_repeated)}"
            self._report_broken("checks.row_finding", found, "_warned", statement.checks, run)

    def _report_broken(
        self, table: str, condition: str, positions: str, checks: tuple[Check, ...], run: list[object]
    ) -> None:
        if not checks:
            return
        values = " ".join(
            f"when {position} then {received_value(check, received_text_of)}" for position, check in enumerate(checks)
        )
        self.connection.execute(
            f"""
            insert into {table} by name
            with reported as (
                select *, {_record_key(self.entity)} as record_key, unnest({positions}) as position
                from chunk
                where {condition}
            ),
            rules as (select {CHECK_COLUMNS} from {checks_relation(checks)})
            select
                ? as run_id, ? as source, ? as entity, _batch_id as batch_id, _file_id as file_id,
                _row_number as row_number, rules.column_name, case position {values} end as value, rules.rule_id,
                rules.reason_zh, rules.reason_en, rules.remedy_zh, rules.remedy_en, _received as received,
                ? as found_at, record_key
            from reported
            inner join rules using (position)
            """,
            run,
        )

    def _note_admitted(self, counts: list[BatchCounts]) -> None:
        self.connection.execute(
            f"""
            insert or replace into control.admitted_batch by name
            with release as ({RELEASE_MARKS}),
            counted as (
                select
                    unnest(?) as batch_id, unnest(?) as received_count, unnest(?) as accepted_count,
                    unnest(?) as quarantined_count, unnest(?) as superseded_count, unnest(?) as finding_count
            )
            select
                counted.*, batch.source, batch.entity, batch.partition, batch.revision, batch.business_on,
                ? || coalesce(release.mark, '') as contract_hash, ? as run_id, ? as admitted_at
            from counted
            inner join control.batch as batch using (batch_id)
            left join release using (batch_id)
            """,
            [
                [batch.batch_id for batch in counts],
                [batch.received for batch in counts],
                [batch.accepted for batch in counts],
                [batch.quarantined for batch in counts],
                [batch.superseded for batch in counts],
                [batch.findings for batch in counts],
                contract_hash(self.entity),
                self.run_id,
                self.found_at,
            ],
        )

    def _note_source_state(self) -> None:
        self.connection.execute(
            """
            insert or replace into control.source_state by name
            select
                source, entity, max(business_on) as newest_business_on,
                arg_max(batch_id, (business_on, partition, revision)) as newest_batch_id,
                count(*) as batches_count, cast(sum(accepted_count) as bigint) as rows_count, ? as changed_at,
                cast(? as double) as max_age_hours
            from control.admitted_batch
            where source = ? and entity = ?
            group by source, entity
            """,
            [self.found_at, self.entity.max_age_hours, self.entity.source_id, self.entity.id],
        )


def _partition_of(batch_id: str) -> str:
    return batch_id.rpartition(".")[0]


def _record_key(entity: Entity) -> str:
    """SQL of the JSON array of the natural key; null when a required part is not there."""
    filled = {column.name: column for column in filled_columns(entity)}
    parts = ", ".join(f"cast({name} as varchar)" for name in entity.natural_key if name in filled)
    required = [name for name in entity.natural_key if name in filled and filled[name].required]
    key = f"cast(to_json([{parts}]) as varchar)"
    if not required:
        return key
    return f"case when {' and '.join(f'{name} is not null' for name in required)} then {key} end"
