"""Rows of one batch with the same natural key: copies are superseded, contradictions are held back.

Rows that break a rule take no part: they are held back anyway.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from oneledger.catalogue import Entity
from oneledger.quality.row_rules import DUPLICATE_RULE_ID
from oneledger.warehouse.contract import filled_columns
from oneledger.warehouse.received_text import sql_text
from oneledger.warehouse.row_staging import StagingStatement, received_text_of

_REASON_ZH = "同一批次中有主键相同而内容不同的记录，见第 "
_REASON_EN = "the batch has the same key with other content in row "
_REMEDY_ZH = "请确认哪一条正确，删除其余各条后重新报送"
_REMEDY_EN = "find out which one is right, remove the others and deliver again"


def find_repeated_rows(connection: duckdb.DuckDBPyConnection, entity: Entity) -> bool:
    """Judge the rows of ``chunk`` that share their key with another row of their batch.

    Fills the temporary table ``repeated`` (row_id, _ordinal, _file_id, _row_number, verdict ``kept``,
    ``superseded`` or ``conflict``, others: text naming the other rows of a conflict). Of records of a
    ``changes`` delivery that carry different times of change, only the newest stand against each other.

    Returns:
        Whether there are such rows at all; ``repeated`` exists only then.
    """
    filled = [column.name for column in filled_columns(entity)]
    key = ", ".join(["_ordinal", *(name for name in entity.natural_key if name in filled)])
    counted = connection.execute(
        f"select count(*), count(distinct hash({key})) from chunk where _broken is null"
    ).fetchone()
    if counted is None or counted[0] == counted[1]:
        return False
    content = ", ".join(f"{name} := {name}" for name in filled)
    changed = entity.updated_at or "null" if entity.delivery == "changes" else "null"
    connection.execute(
        f"""
        create or replace temp table repeated as
        with shared_keys as (
            select hash({key}) as key_hash from chunk where _broken is null group by 1 having count(*) > 1
        ),
        candidates as (
            select
                rowid as row_id, {key}, _file_id, _row_number, {changed} as changed,
                cast(to_json(struct_pack({content})) as varchar) as content
            from chunk
            where _broken is null and hash({key}) in (select key_hash from shared_keys)
        ),
        compared as (
            select
                *,
                count(*) over of_key as key_count,
                max(changed) over of_key as newest,
                min(content) over of_change <> max(content) over of_change as is_contradicted,
                row_number() over (
                    partition by {key}, changed order by _file_id, _row_number, row_id
                ) as copy_number,
                list(struct_pack(f := _file_id, n := _row_number)) over of_change as rows_of_key
            from candidates
            window of_key as (partition by {key}), of_change as (partition by {key}, changed)
        ),
        judged as (
            select
                *,
                case
                    when changed is distinct from newest then 'superseded'
                    when is_contradicted then 'conflict'
                    when copy_number > 1 then 'superseded'
                    else 'kept'
                end as verdict
            from compared
            where key_count > 1
        )
        select
            row_id, _ordinal, _file_id, _row_number, verdict,
            case when verdict = 'conflict' then array_to_string(
                list_transform(
                    list_sort(list_filter(
                        rows_of_key, lambda other: other.n <> _row_number or other.f <> _file_id
                    )),
                    lambda other: case when other.f = _file_id then '' else other.f || ':' end || other.n
                ), ', '
            ) end as others
        from judged
        """
    )
    return True


def report_conflicts(
    connection: duckdb.DuckDBPyConnection,
    statement: StagingStatement,
    files: list[Path],
    raw_columns: set[str],
    record_key: str,
    run: list[object],
) -> None:
    """Write the conflicting rows to ``quarantine.row``, each naming the other rows of its key.

    Args:
        connection: in the transaction of the entity, with ``chunk``, ``repeated`` and ``arriving``.
        statement: how the entity is staged, to read what the rows looked like when received.
        files: the raw files of the chunk.
        raw_columns: their columns.
        record_key: SQL of the JSON of the natural key.
        run: run_id, source, entity, found_at.
    """
    entity = statement.entity
    content = ", ".join(column.name for column in filled_columns(entity))
    key_text = " || ', ' || ".join(
        f"{sql_text(name + '=')} || coalesce({received_text_of(name)}, cast({name} as varchar), '')"
        for name in entity.natural_key
        if name in {column.name for column in filled_columns(entity)}
    )
    connection.execute(
        f"""
        insert into quarantine.row by name
        with conflicts as (
            select
                chunk._file_id, chunk._row_number, hash({content}) as content_hash,
                any_value(repeated.others) as others
            from chunk
            inner join repeated on chunk.rowid = repeated.row_id
            where repeated.verdict = 'conflict'
            group by all
        ),
        received as ({statement.select(files, raw_columns, only_repeated=True)})
        select
            ? as run_id, ? as source, ? as entity, received._batch_id as batch_id, received._file_id as file_id,
            received._row_number as row_number, {sql_text(", ".join(entity.natural_key))} as column_name,
            {key_text} as value, {sql_text(DUPLICATE_RULE_ID)} as rule_id,
            {sql_text(_REASON_ZH)} || conflicts.others || ' 行' as reason_zh,
            {sql_text(_REASON_EN)} || conflicts.others as reason_en,
            {sql_text(_REMEDY_ZH)} as remedy_zh, {sql_text(_REMEDY_EN)} as remedy_en,
            received._received as received, ? as found_at, {record_key} as record_key
        from received
        inner join conflicts
            on received._file_id = conflicts._file_id and received._row_number = conflicts._row_number
            and hash({content}) = conflicts.content_hash
        where received._broken is null
        """,
        run,
    )
