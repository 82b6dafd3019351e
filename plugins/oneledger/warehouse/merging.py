"""Accepted rows of a chunk → the admitted table, by the entity's way of delivery."""

from __future__ import annotations

import duckdb

from oneledger.catalogue import Entity
from oneledger.warehouse.contract import admitted_table, filled_columns
from oneledger.warehouse.received_text import sql_text


def accepted_rows(has_repeated: bool) -> str:
    """SQL condition over ``chunk``: the row breaks no rule and is no copy or contradiction of another."""
    if not has_repeated:
        return "_broken is null"
    return "_broken is null and rowid not in (select row_id from repeated where verdict <> 'kept')"


def merge_chunk(connection: duckdb.DuckDBPyConnection, entity: Entity, *, has_repeated: bool) -> int:
    """Bring the accepted rows of ``chunk`` into the admitted table; returns how many were accepted.

    ``partition``: inserted; the rows of replaced batches are gone already. ``full`` and ``changes``: per
    natural key the newest row stands (by business date; by time of change and then batch), and with
    ``full`` a record that the newest batch leaves out is marked ``_is_omitted``.
    """
    accepted = accepted_rows(has_repeated)
    if entity.delivery == "partition":
        return _insert(connection, entity, f"chunk where {accepted}")
    counted = connection.execute(f"select count(*) from chunk where {accepted}").fetchone()
    key = ", ".join(_filled_key(entity))
    order = f"{entity.updated_at} desc nulls last, _ordinal desc" if entity.delivery == "changes" else "_ordinal desc"
    connection.execute(
        f"create or replace temp table incoming as select * from chunk where {accepted} "
        f"qualify row_number() over (partition by {key} order by {order}) = 1"
    )
    table, own = admitted_table(entity), _own_rows(entity)
    same_key = " and ".join(f"standing.{name} is not distinct from incoming.{name}" for name in _filled_key(entity))
    if entity.delivery == "changes":
        changed = entity.updated_at
        connection.execute(
            f"delete from incoming using {table} as standing where {same_key}{own} and "
            f"(standing.{changed} > incoming.{changed} "
            f"or (incoming.{changed} is null and standing.{changed} is not null))"
        )
    connection.execute(f"delete from {table} as standing using incoming where {same_key}{own}")
    _insert(connection, entity, "incoming")
    if entity.delivery == "full":
        _mark_omitted(connection, entity)
    connection.execute("drop table temp.incoming")
    return counted[0] if counted else 0


def settle_reports(connection: duckdb.DuckDBPyConnection, entity: Entity, record_key: str) -> None:
    """Take back the reports of records that a later batch of the chunk delivers again, whole or broken.

    Rows whose key cannot be read are settled by the next ``full`` batch; of ``changes`` they stay.
    """
    for table in ("quarantine.row", "checks.row_finding"):
        known = connection.execute(
            f"select 1 from {table} where source = ? and entity = ? limit 1", [entity.source_id, entity.id]
        ).fetchone()
        if not known:
            continue
        connection.execute(
            f"""
            delete from {table} as report
            using (
                with delivered as (
                    select {record_key} as record_key, max(_ordinal) as ordinal
                    from chunk
                    group by 1
                ),
                last_batch as (select max(ordinal) as ordinal from arriving),
                standing as (
                    select reported.batch_id, reported.record_key, coalesce(arriving.ordinal, 0) as ordinal
                    from (
                        select distinct batch_id, record_key from {table} where source = ? and entity = ?
                    ) as reported
                    left join arriving using (batch_id)
                )
                select standing.batch_id, standing.record_key
                from standing
                left join delivered on standing.record_key = delivered.record_key
                cross join last_batch
                where
                    delivered.ordinal > standing.ordinal
                    or (standing.record_key is null and {str(entity.delivery == "full").lower()}
                        and last_batch.ordinal > standing.ordinal)
            ) as settled
            where
                report.source = ? and report.entity = ? and report.batch_id = settled.batch_id
                and (report.record_key = settled.record_key
                    or (report.record_key is null and settled.record_key is null))
            """,
            [entity.source_id, entity.id] * 2,
        )


def _filled_key(entity: Entity) -> list[str]:
    """The parts of the natural key that this source can fill; the others are null in all its rows."""
    filled = {column.name for column in filled_columns(entity)}
    return [name for name in entity.natural_key if name in filled]


def _own_rows(entity: Entity) -> str:
    """Within a shape's table (alias ``standing``), only the rows of this entity."""
    if not entity.shape:
        return ""
    prefix = sql_text(f"{entity.full_id}.")
    return f" and standing.source = {sql_text(entity.source_id)} and starts_with(standing._batch_id, {prefix})"


def _insert(connection: duckdb.DuckDBPyConnection, entity: Entity, rows: str) -> int:
    columns = [column.name for column in filled_columns(entity)]
    values = list(columns)
    if entity.shape:
        columns = ["source", *columns, "_missing_states"]
        values = [sql_text(entity.source_id), *values, "_missing_states"]
    if entity.shape or entity.delivery == "full":
        columns.append("_is_omitted")
        values.append("false")
    identity = ["_batch_id", "_file_id", "_row_number", "_business_on"]
    # In order of delivery, so that row groups hold few dates and later deletes find theirs by minimum and maximum.
    inserted = connection.execute(
        f"insert into {admitted_table(entity)} ({', '.join([*columns, *identity])}) "
        f"select {', '.join([*values, *identity])} from {rows}"
    ).fetchone()
    return inserted[0] if inserted else 0


def _mark_omitted(connection: duckdb.DuckDBPyConnection, entity: Entity) -> None:
    """A record that the newest batch does not hold at all, not even broken, is marked, not deleted."""
    key = _filled_key(entity)
    connection.execute(
        f"create or replace temp table present as select distinct {', '.join(key)} from chunk "
        f"where _ordinal = (select max(ordinal) from arriving)"
    )
    same = " and ".join(f"present.{name} is not distinct from standing.{name}" for name in key)
    own = _own_rows(entity)
    for is_omitted, test in ((True, "not exists"), (False, "exists")):
        connection.execute(
            f"update {admitted_table(entity)} as standing set _is_omitted = {is_omitted} "
            f"where standing._is_omitted <> {is_omitted} "
            f"and {test} (select 1 from present where {same}){own}"
        )
    connection.execute("drop table temp.present")
