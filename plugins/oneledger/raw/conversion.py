"""Convert the payload of one batch into one Parquet file: canonical columns as text, plus row identity.

Raw holds source values under canonical names: value maps, types, units, constants and defaults belong to
admission. A blank field of a text file or workbook is null; what JSON has as empty text stays empty text.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from oneledger.catalogue import Entity, Source
from oneledger.disk_space import is_disk_full
from oneledger.raw.contract import ColumnPlan, plan_columns
from oneledger.raw.delimited import Relation, delimited_relation
from oneledger.raw.json_records import (
    column_sql,
    extra_sql,
    lines_sql,
    nested_keys_sql,
    pages_sql,
    record_plan,
    record_struct,
)
from oneledger.raw.sql_text import identifier, literal
from oneledger.raw.workbook import read_sheet, sheet_columns
from oneledger.settings import Settings
from oneledger.sources.drop_folder import fields_of
from oneledger.sources.refusal import RefusalError
from oneledger.warehouse.connection import duckdb_config


@dataclass
class Converted:
    """What became of a batch's payload. ``rows`` counts data records by payload file (records of the file, not
    unpivoted rows); ``row_count`` counts raw rows; ``around`` are the texts of workbooks that are in no row (place,
    text)."""

    row_count: int
    rows: dict[str, int]
    warnings: list[str] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)
    around: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def raw_connection(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB under the settings' limits, to convert any number of batches."""
    connection = duckdb.connect(":memory:", config=duckdb_config(settings))
    try:
        yield connection
    finally:
        connection.close()


def scratch_folder(settings: Settings, source_id: str) -> Path:
    """Where conversions of a source put files for a moment; all of it belongs to the holder of the source's lock."""
    return settings.scratch_dir / "raw" / source_id


def raw_path(settings: Settings, source_id: str, entity_id: str, batch_id: str) -> Path:
    """Where the Parquet file of a batch lies."""
    return settings.raw_dir / source_id / entity_id / f"{batch_id}.parquet"


def convert(
    connection: duckdb.DuckDBPyConnection, settings: Settings, source: Source, entity: Entity, batch_id: str,
    directory: Path, file_names: Sequence[str], target: Path,
) -> Converted:  # fmt: skip
    """Write the Parquet file of one batch.

    Args:
        connection: from ``raw_connection``.
        settings: names the scratch directory.
        source: its connector decides how the payload is read.
        entity: columns and format.
        batch_id: goes into ``_batch_id`` and ``_file_id``.
        directory: where the payload lies.
        file_names: the payload files, in order.
        target: the Parquet file to write (a partial name; the caller renames it).

    Raises:
        RefusalError: the payload breaks the contract of the catalogue or cannot be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in file_names]
    try:
        if source.connector in ("http", "sql"):
            return _convert_records(connection, source, entity, batch_id, paths, target)
        folder = scratch_folder(settings, source.id)
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder))
        try:
            if source.connector == "workbook":
                return _convert_workbooks(connection, entity, batch_id, paths, target)
            return _convert_delimited(connection, entity, batch_id, paths, scratch, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except duckdb.Error as error:
        if is_disk_full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise RefusalError(
            f"{entity.full_id}: {', '.join(file_names[:3])} cannot be read: {str(error).strip().splitlines()[0]}",
            "The sender checks the file and delivers it again.",
            {"files": list(file_names)[:20]},
        ) from error


def _convert_delimited(
    connection: duckdb.DuckDBPyConnection, entity: Entity, batch_id: str, paths: list[Path], scratch: Path, target: Path
) -> Converted:  # fmt: skip
    relations = {path.name: delimited_relation(entity, path, scratch, fields_of(entity, path.name)) for path in paths}
    try:
        return _write_relations(connection, entity, batch_id, relations, target)
    except (duckdb.InvalidInputException, UnicodeDecodeError):
        # (A message of DuckDB that cuts a character in two reaches Python as an UnicodeDecodeError.)
        # DuckDB names one wrong line and stops; record by record the good ones are kept and the wrong ones shown.
        relations = {
            path.name: delimited_relation(entity, path, scratch, fields_of(entity, path.name), is_tolerant=True)
            for path in paths
        }
        converted = _write_relations(connection, entity, batch_id, relations, target)
        malformed = {name: relation.malformed_records for name, relation in relations.items()
                     if relation.malformed_records}  # fmt: skip
        if malformed:
            count = sum(len(numbers) for numbers in malformed.values())
            converted.warnings.append(f"{count} records do not have the fields of the header; see _extra")
            converted.detail["malformed_records"] = {name: numbers[:20] for name, numbers in malformed.items()}
        return converted


def _convert_workbooks(
    connection: duckdb.DuckDBPyConnection, entity: Entity, batch_id: str, paths: list[Path], target: Path
) -> Converted:
    if entity.workbook is None:
        raise ValueError(f"{entity.full_id} has no workbook")
    relations: dict[str, Relation] = {}
    detail: dict[str, Any] = {}
    warnings: list[str] = []
    around: list[tuple[str, str]] = []
    for number, path in enumerate(paths):
        sheet = read_sheet(path, entity.workbook, entity.decisions)
        plan = plan_columns(entity, sheet.names, path.name, sheet.repeated)
        warnings += sheet.warnings
        around += [(f"{path.name} {place}", text) for place, text in sheet.around]
        fields = {**fields_of(entity, path.name), **sheet.title_fields}
        _check_fields(entity, fields, path.name)
        columns = {name: pa.array(values, pa.string()) for name, values in sheet_columns(sheet)}
        columns["_row_number"] = pa.array(sheet.row_numbers, pa.int64())
        connection.register(f"sheet_{number}", pa.table(columns))
        relations[path.name] = Relation(f"select * from sheet_{number}", plan, fields)
        detail[path.name] = sheet.skipped
    try:
        converted = _write_relations(connection, entity, batch_id, relations, target)
    finally:
        for number in range(len(paths)):
            connection.unregister(f"sheet_{number}")
    converted.detail["skipped_rows"] = detail
    converted.around = around
    converted.warnings += warnings
    return converted


def _check_fields(entity: Entity, fields: dict[str, str], file_name: str) -> None:
    for column in entity.delivered_columns:
        name = (column.source_name or "")[1:]
        if column.is_field and column.required and name not in fields and name not in _unpivot_groups(entity):
            raise RefusalError(
                f"{file_name}: {name!r} (→ {column.name}) was found neither in the file name nor in the rows above "
                f"the header.",
                "The sender puts it back into the title rows; or correct `workbook.title_fields` in the catalogue.",
                {"file": file_name, "field": name},
                problem="missing_column",
            )


def _unpivot_groups(entity: Entity) -> tuple[str, ...]:
    return entity.unpivot.groups if entity.unpivot else ()


def _write_relations(
    connection: duckdb.DuckDBPyConnection, entity: Entity, batch_id: str, relations: dict[str, Relation], target: Path
) -> Converted:
    selects = [
        f"select {_columns(entity, relation)}, {literal(batch_id)} as _batch_id, "
        f"{literal(f'{batch_id}/{name}')} as _file_id, _row_number::bigint as _row_number, "
        f"{_extra(relation)} as _extra from ({relation.sql})"
        for name, relation in relations.items()
    ]
    count = _copy(connection, " union all ".join(f"({select})" for select in selects), target)
    warnings = [f"{name}: {text}" for name, relation in relations.items() for text in relation.plan.warnings]
    rows = {next(iter(relations)): count}
    if len(relations) > 1 or entity.unpivot:
        rows = _records_by_file(connection, target, list(relations))
    return Converted(count, rows, warnings)


def _records_by_file(connection: duckdb.DuckDBPyConnection, target: Path, names: list[str]) -> dict[str, int]:
    counted = dict(connection.execute(
        f"select split_part(_file_id, '/', 2), count(distinct _row_number) from read_parquet({literal(str(target))}) "
        f"group by 1").fetchall())  # fmt: skip
    return {name: counted.get(name, 0) for name in names}


def _columns(entity: Entity, relation: Relation) -> str:
    parts = []
    for column in entity.delivered_columns:
        source = column.source_name or ""
        if column.is_field and source[1:] in relation.row_fields:
            sql = identifier(source)
        elif column.is_field:
            value = relation.fields.get(source[1:])
            sql = literal(value) if value else "null::varchar"
        else:
            arrived = relation.plan.mapping.get(column.name)
            sql = identifier(arrived) if arrived else "null::varchar"
        parts.append(f"{sql} as {identifier(column.name)}")
    return ", ".join(parts)


def _extra(relation: Relation) -> str:
    parts = ", ".join(f"{literal(name)}, {identifier(name)}" for name in relation.plan.extra)
    extra = f"json_object({parts})::varchar" if parts else "null::varchar"
    return f"coalesce(_malformed, {extra})" if relation.malformed_records else extra


def _convert_records(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    entity: Entity,
    batch_id: str,
    paths: list[Path],
    target: Path,
) -> Converted:
    if source.connector == "http":
        reading = pages_sql(paths, source.http.records, source.http.max_page_bytes)
    else:
        reading = lines_sql(paths[0])
    connection.execute(f"create or replace temp table delivery as {reading}")
    try:
        plan, nested = record_plan(connection, entity, "delivery", entity.full_id)
        looks_for_nested = source.connector == "http" and entity.decisions.nested_value != "accept"
        keys = nested_keys_sql(plan, nested) if looks_for_nested else "cast(null as varchar[])"
        connection.execute(
            f"create or replace temp view parted as select *, {keys} as nested_keys "
            f"from (select *, {record_struct(plan, nested)} as taken from delivery)"
        )
        if looks_for_nested and entity.decisions.nested_value == "refuse":
            _refuse_nested(connection, entity)
        select = (
            f"select {_record_columns(entity, plan, nested)}, {literal(batch_id)} as _batch_id, "
            f"{literal(batch_id + '/')} || _file_name as _file_id, _row_number::bigint as _row_number, "
            f"{extra_sql(plan)} as _extra from parted"
        )
        count = _copy(connection, select, target)
        counted = dict(connection.execute("select _file_name, count(*) from delivery group by 1").fetchall())
    finally:
        connection.execute("drop view if exists parted")
        connection.execute("drop table if exists delivery")
    return Converted(count, {path.name: counted.get(path.name, 0) for path in paths}, list(plan.warnings))


def _record_columns(entity: Entity, plan: ColumnPlan, nested: frozenset[str]) -> str:
    """Select items of the columns. A record with nested values keeps its natural key where that can be read, so that a
    later delivery of the record settles it; its other columns are null, and ``_extra`` holds it whole."""
    parts = []
    for column in entity.delivered_columns:
        arrived = plan.mapping.get(column.name)
        sql = column_sql(arrived, nested) if arrived else "null::varchar"
        readable = "nested_keys is null"
        if arrived and column.name in entity.natural_key:
            readable += f" or not list_contains(nested_keys, {literal(arrived)})"
        parts.append(f"case when {readable} then {sql} end as {identifier(column.name)}")
    return ", ".join(parts)


def _refuse_nested(connection: duckdb.DuckDBPyConnection, entity: Entity) -> None:
    found = connection.execute(
        "select _file_name, _row_number, nested_keys[1], record::varchar from parted "
        "where nested_keys is not null order by all limit 1"
    ).fetchone()
    if found:
        raise RefusalError(
            f"{entity.full_id}: row {found[1]} of {found[0]} has an object or a list under {found[2]!r}, where one "
            f"value was agreed: {found[3][:160]}.",
            "The owner of the API writes the agreed value; or `from` names the key within it (owner.name).",
            {"file": found[0], "row": found[1], "key": found[2]},
            problem="nested_value",
        )


def _copy(connection: duckdb.DuckDBPyConnection, select: str, target: Path) -> int:
    row = connection.execute(f"copy ({select}) to {literal(str(target))} (format parquet)").fetchone()
    return int(row[0]) if row else 0
