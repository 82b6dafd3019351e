"""What can be wrong with a delivery as a whole, looked for in its raw rows before it is landed, set-based.

Days other than the file's, rows from before what was asked for, records that stand in two pages, records that a
full delivery leaves out, a column of another type.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from oneledger.catalogue import Entity, worded
from oneledger.raw.sql_text import identifier, literal
from oneledger.sources.received import Received
from oneledger.sources.refusal import RefusalError
from oneledger.warehouse.column_typing import text_of, typing_layers
from oneledger.warehouse.contract import dated_by_file, missing_markers

_SHOWN = 5


def check_rows(
    connection: duckdb.DuckDBPyConnection, entity: Entity, received: Received, raw: Path, before: Path | None
) -> list[str]:
    """Look at the raw rows of one delivery; returns sentences for its outcome.

    Args:
        connection: in memory.
        entity: its decisions say what becomes of what is found.
        received: names the business date, and the watermark that was asked from.
        raw: the delivery's Parquet file.
        before: that of the full delivery before, to see which records are left out; None for none.

    Raises:
        RefusalError: the catalogue refuses what was found.
    """
    rows = f"read_parquet({literal(str(raw))})"
    return [
        *_other_date(connection, entity, received, rows),
        *_before_watermark(connection, entity, received, rows),
        *_in_two_pages(connection, entity, received, rows),
        *_omitted(connection, entity, rows, before),
        *_other_type(connection, entity, received, rows),
    ]


def _other_date(connection: duckdb.DuckDBPyConnection, entity: Entity, received: Received, rows: str) -> list[str]:
    column = dated_by_file(entity)
    if column is None or entity.decisions.other_business_date == "accept":
        return []
    found = connection.execute(
        f"with typed as ({_typed(entity, column.name, rows)}) "
        f"select count({column.name}), count(*) filter ({column.name} <> ?), "
        f"mode({column.name}) filter ({column.name} <> ?) from typed",
        [received.business_on, received.business_on],
    ).fetchone()
    given, other, commonest = found if found else (0, 0, None)
    # Single rows of another day are held back one by one (row_of_other_date).
    if not other or other * 2 <= given:
        return []
    name = received.files[0].source_name
    text = (
        f"{name} is of {received.business_on} by its name, and {other} of its {given} rows carry another day in "
        f"{column.source_name} (→ {column.name}), most often {commonest}"
    )
    if entity.decisions.other_business_date == "refuse":
        raise RefusalError(
            f"{text}.",
            "The sender delivers the rows under the name of their own day, and this day's rows under this name.",
            {"file": name, "column": column.name, "expected": str(received.business_on), "found": str(commonest)},
            problem="other_business_date",
        )
    return [worded("other_business_date", text)]


def _before_watermark(
    connection: duckdb.DuckDBPyConnection, entity: Entity, received: Received, rows: str
) -> list[str]:
    if received.since is None or entity.updated_at is None or entity.decisions.since_ignored == "accept":
        return []
    name = entity.updated_at
    found = connection.execute(
        f"with typed as ({_typed(entity, name, rows)}) select count(*) filter ({name} < try_cast(? as timestamp)), "
        f"count(*), min({name}) from typed",
        [received.since],
    ).fetchone()
    earlier, count, first = found if found else (0, 0, None)
    if not earlier:
        return []
    text = (
        f"{entity.full_id} was asked for changes since {received.since}, and {earlier} of the {count} rows that came "
        f"are older, the oldest of {first}: the source ignores that parameter"
    )
    if entity.decisions.since_ignored == "refuse":
        raise RefusalError(
            f"{text}.",
            "The owner of the source mends the parameter; if it has none, set http.since_parameter: null.",
            {"since": received.since, "earlier_rows": earlier},
            problem="since_ignored",
        )
    return [worded("since_ignored", text)]


def _in_two_pages(connection: duckdb.DuckDBPyConnection, entity: Entity, received: Received, rows: str) -> list[str]:
    if not entity.path or len(received.files) < 2:
        return []
    columns = ", ".join(identifier(column.name) for column in entity.delivered_columns)
    # Numbers of a fixed size spill to disk; lists of places, or sets of file names, of millions of records do not.
    # So equal hashes are looked for first, and the rows behind the few that stand in two pages are read again.
    connection.execute(
        f"create or replace temp table in_two_pages as "
        f"select hash({columns}, _extra) as digest from {rows} "
        f"group by digest having min(hash(_file_id)) <> max(hash(_file_id))"
    )
    try:
        found = connection.execute(
            f"with repeated as (select count(*) as times, "
            f"list(_file_id || ' row ' || _row_number order by _file_id) as places "
            f"from {rows} semi join in_two_pages on hash({columns}, _extra) = digest "
            f"group by {columns}, _extra having count(distinct _file_id) > 1) "
            f"select coalesce(sum(times - 1), 0), any_value(places) from repeated"
        ).fetchone()
    finally:
        connection.execute("drop table in_two_pages")
    count, places = found if found else (0, None)
    if not count:
        return []
    shown = " and ".join(place.split("/", 1)[1] for place in places[:2])
    text = (
        f"{entity.full_id}: {count} records stand in two pages (for instance {shown}); when the total is right, as "
        f"many others are missing"
    )
    if entity.decisions.overlapping_pages == "refuse":
        raise RefusalError(
            f"{text}.",
            "Start again: records that changed while the pages were read can cause it. If it stays, the owner of "
            "the API pages by a stable order.",
            {"repeated_records": int(count), "places": places[:2]},
            problem="overlapping_pages",
        )
    return [worded("overlapping_pages", text)]


def _omitted(connection: duckdb.DuckDBPyConnection, entity: Entity, rows: str, before: Path | None) -> list[str]:
    keys = [name for name in entity.natural_key if entity.column(name).is_delivered]
    if before is None or not keys:
        return []
    columns = ", ".join(map(identifier, keys))
    shown = " || ' / ' || ".join(f"coalesce({identifier(name)}, '')" for name in keys)
    found = connection.execute(
        f"with earlier as (select distinct {columns} from read_parquet({literal(str(before))})), "
        f"gone as (select {columns} from earlier except select {columns} from {rows}) "
        f"select (select count(*) from earlier), count(*), list({shown} order by {columns})[1:{_SHOWN}] from gone"
    ).fetchone()
    known, gone, sample = found if found else (0, 0, [])
    if not gone:
        return []
    text = (
        f"{entity.full_id}: {gone} of the {known} records of the delivery before are left out "
        f"({', '.join(sample)}); they are kept and marked as omitted, not deleted"
    )
    is_too_much = gone / known > entity.most_omitted_share
    if entity.decisions.omitted_records == "refuse" or is_too_much:
        limit = f"; more than {entity.most_omitted_share:.0%} (most_omitted_share)" if is_too_much else ""
        raise RefusalError(
            f"{entity.full_id}: {gone} of the {known} records of the delivery before are left out "
            f"({', '.join(sample)}){limit}.",
            "The owner of the source looks whether the export was cut off; records that have ended stay in it with "
            "their state.",
            {"omitted": gone, "known": known, "sample": sample},
            problem="omitted_records",
        )
    return [worded("omitted_records", text)]


def _other_type(connection: duckdb.DuckDBPyConnection, entity: Entity, received: Received, rows: str) -> list[str]:
    """Columns of which no given value can be read: another type than agreed. Row rules hold them back otherwise."""
    if entity.decisions.changed_type != "refuse":
        return []
    for column in entity.delivered_columns:
        if column.type == "text":
            continue
        found = connection.execute(
            f"with typed as ({_typed(entity, column.name, rows)}) "
            f"select count(nullif(trim({text_of(column.name)}), '')), count({column.name}), "
            f"any_value({text_of(column.name)}) filter (trim({text_of(column.name)}) <> '') from typed"
        ).fetchone()
        given, read, sample = found if found else (0, 0, None)
        if given and not read:
            name = received.files[0].source_name
            raise RefusalError(
                f"{name}: none of the {given} values of {column.source_name} (→ {column.name}) is {column.type}, for "
                f"instance {sample!r}.",
                "The sender delivers the agreed type; if it was changed for good, correct `type` and `formats`.",
                {"file": name, "column": column.name, "value": sample, "expected": column.type},
                problem="changed_type",
            )
    return []


def _typed(entity: Entity, name: str, rows: str) -> str:
    """The rows with one column typed as admission types it, under its own name, and its text under ``text_of``."""
    column = entity.column(name)
    layers = typing_layers([(column, missing_markers(entity, column))])
    sql = f"select {identifier(name)} as {text_of(name)} from {rows}"
    for items in layers:
        if items:
            sql = f"select {', '.join(['*', *items])} from ({sql})"
    return sql
