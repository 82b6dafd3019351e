"""How far a delivery of changes goes, and whether it brings anything that is not there yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import duckdb

from oneledger.catalogue import Entity
from oneledger.raw.sql_text import identifier, literal


def newest_change(
    connection: duckdb.DuckDBPyConnection, entity: Entity, raw: Path, cap: dt.date | None, since: str | None
) -> tuple[str | None, int]:
    """The newest ``updated_at`` of a raw file as the source wrote it, and how many rows lie after ``cap``.

    A row dated in the future would hide every later change, so it does not count. Without a row that counts,
    the watermark stays where it was (``since``).
    """
    changed = identifier(str(entity.updated_at))
    limit = literal(f"{cap or dt.date.max} 23:59:59")
    row = connection.execute(
        f"with change as (select {changed} as text, try_cast({changed} as timestamp) as changed_at "
        f"from read_parquet({literal(str(raw))})) "
        f"select max_by(text, changed_at) filter (where changed_at <= {limit}::timestamp), "
        f"count(*) filter (where changed_at > {limit}::timestamp) from change"
    ).fetchone()
    newest, ahead = row if row else (None, 0)
    return (str(newest) if newest is not None else since), int(ahead)


def brings_nothing_new(connection: duckdb.DuckDBPyConnection, entity: Entity, raw: str, landed: Sequence[str]) -> bool:
    """Whether every row of a raw file stands, value by value, in these landed ones.

    The source is asked from the watermark on, inclusive, so that what changed at that very instant is not
    lost; the rows of that instant come again each time.
    """
    columns = ", ".join([*(identifier(column.name) for column in entity.delivered_columns), "_extra"])
    files = ", ".join(literal(path) for path in landed)
    row = connection.execute(
        f"select count(*) from (select {columns} from read_parquet({literal(raw)}) except "
        f"select {columns} from read_parquet([{files}], union_by_name = true))"
    ).fetchone()
    return row == (0,)
