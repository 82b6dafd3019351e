"""Write a published table, or the answer to a query, to a CSV, Parquet or Excel file."""

from __future__ import annotations

import datetime as dt
import decimal
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from oneledger.audit.anchors import anchor_of_version
from oneledger.publishing.content import quote
from oneledger.publishing.query import column_descriptions, find_table, open_version, read_only_statement, run_query
from oneledger.publishing.spreadsheet_text import harmless_sql, runs_sql
from oneledger.publishing.versions import PublishedVersion
from oneledger.settings import ConfigurationError, Settings

Format = Literal["csv", "parquet", "xlsx"]
FORMATS: tuple[Format, ...] = ("csv", "parquet", "xlsx")
XLSX_ROW_LIMIT = 1_048_575
_ROWS_A_BATCH = 50_000
_WIDEST_COLUMN = 60


@dataclass(frozen=True)
class Export:
    """What was written. ``escaped_cells_count`` text cells of a CSV got a leading ' so that none runs as a formula."""

    path: Path
    rows_count: int
    format: Format
    version: str
    escaped_cells_count: int


@dataclass(frozen=True)
class _Origin:
    """Where the rows come from: what a file says of itself. ``anchor`` is that of the version's seal."""

    version: PublishedVersion
    anchor: str
    table: str
    columns: dict[str, str]


def export(
    settings: Settings,
    version: PublishedVersion,
    *,
    out: Path,
    file_format: Format,
    table: str | None = None,
    sql: str | None = None,
    force: bool = False,
) -> Export:
    """Write ``table`` or the answer to ``sql`` to ``out``, in bounded memory, beside it first and then renamed.

    Raises:
        ConfigurationError: the file exists and ``force`` is not set, there is no such table, or too many rows.
        QueryRefusedError: the SQL would write or is wrong.
    """
    if (table is None) == (sql is None):
        raise ConfigurationError("Give either a table or --sql, not both and not none.")
    if out.exists() and not force:
        size = out.stat().st_size
        raise ConfigurationError(f"{out} exists ({size:,} bytes). Choose another name, or replace it with --force.")
    if not out.parent.is_dir():
        raise ConfigurationError(f"The folder {out.parent} does not exist. Create it first.")
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        with open_version(settings, version) as connection:
            name = find_table(connection, table) if table else None
            query = f"from {name}" if name else read_only_statement(connection, sql or "")
            query = query.rstrip().rstrip(";")
            about, columns = column_descriptions(version, name) if name else (None, {})
            sealed = anchor_of_version(settings, version.version)
            origin = _Origin(version, sealed.anchor if sealed else "", about or "", columns)
            rows_count, escaped = _WRITERS[file_format](connection, query, partial, origin)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return Export(out, rows_count, file_format, version.version, escaped)


def write_answer(
    settings: Settings,
    version: PublishedVersion,
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    file_format: Format,
    *,
    about: str,
    columns: dict[str, str],
) -> int:
    """Write the answer to a query of ours over an open version to a file, as ``export`` does; returns the rows.

    Args:
        about: what the rows are, for the sheet of definitions.
        columns: what each column holds.
    """
    sealed = anchor_of_version(settings, version.version)
    origin = _Origin(version, sealed.anchor if sealed else "", about, columns)
    rows_count, _ = _WRITERS[file_format](connection, query, path, origin)
    return rows_count


def _write_csv(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    origin: _Origin,
) -> tuple[int, int]:
    columns = _columns(connection, query)
    texts = [name for name, kind in columns if kind == "VARCHAR"]
    dangerous = " + ".join(f"count(*) filter ({runs_sql(quote(one))})" for one in texts)
    escaped = connection.execute(f"select {dangerous or '0'} from ({query})").fetchall()[0][0]
    select = ", ".join(
        f"{harmless_sql(quote(name))} as {quote(name)}" if name in texts else quote(name) for name, _ in columns
    )
    rows = 0
    reader = _batches(connection, f"select {select} from ({query})")
    with path.open("wb") as stream:
        # Excel takes a CSV without this mark for the system's own encoding and shows Chinese as rubbish.
        stream.write(b"\xef\xbb\xbf")
        with pa.csv.CSVWriter(stream, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
    return rows, escaped


def _write_parquet(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    origin: _Origin,
) -> tuple[int, int]:
    rows = 0
    reader = _batches(connection, query)
    told = {
        "oneledger_version": origin.version.version, "oneledger_anchor": origin.anchor, "oneledger_query": query
    }  # fmt: skip
    schema = reader.schema.with_metadata({**(reader.schema.metadata or {}), **told})
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))
            rows += batch.num_rows
    return rows, 0


def _write_xlsx(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    origin: _Origin,
) -> tuple[int, int]:
    import xlsxwriter

    expected = connection.execute(f"select count(*) from ({query})").fetchall()[0][0]
    if expected > XLSX_ROW_LIMIT:
        raise ConfigurationError(
            f"{expected:,} rows do not fit an Excel sheet (at most {XLSX_ROW_LIMIT:,}). "
            "Choose fewer rows with --sql, or --format csv or parquet."
        )
    columns, cursor = run_query(connection, query)
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        formats = {
            "head": book.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1, "text_wrap": True}),
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
            "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
        }
        sheet = book.add_worksheet("数据 data")
        sheet.freeze_panes(1, 0)
        first = cursor.fetchmany(_ROWS_A_BATCH)
        for position, name in enumerate(columns):
            width = max([len(name), *(len(str(row[position])) for row in first[:200] if row[position] is not None)])
            sheet.set_column(position, position, min(width + 3, _WIDEST_COLUMN))
            sheet.write_string(0, position, name, formats["head"])
        rows = 0
        chunk = first
        while chunk:
            for row in chunk:
                rows += 1
                for position, value in enumerate(row):
                    _write_cell(sheet, rows, position, value, formats)
            chunk = cursor.fetchmany(_ROWS_A_BATCH)
        sheet.autofilter(0, 0, max(rows, 1), max(len(columns) - 1, 0))
        _write_definitions(book, formats, columns, query, origin)
    return rows, 0


def _write_cell(sheet: Any, row: int, column: int, value: Any, formats: dict[str, Any]) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float, decimal.Decimal)) and abs(float(value)) < 10**15:
        sheet.write_number(row, column, float(value))
    elif isinstance(value, dt.datetime):
        sheet.write_datetime(row, column, value.replace(tzinfo=None), formats["instant"])
    elif isinstance(value, dt.date):
        sheet.write_datetime(row, column, value, formats["date"])
    else:
        # As text always: a value that begins with = must not become a formula.
        sheet.write_string(row, column, str(value)[:32_767])


def _write_definitions(
    book: Any,
    formats: dict[str, Any],
    columns: list[str],
    query: str,
    origin: _Origin,
) -> None:
    sheet = book.add_worksheet("说明 definitions")
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 100)
    about = [
        ("版本 version", origin.version.version),
        ("数据截至 as of", origin.version.manifest.get("as_of_on") or ""),
        ("内容哈希 content hash", origin.version.content_hash),
        ("存证锚 anchor", origin.anchor),
        ("查询 query", query),
        ("表 table", origin.table),
    ]
    for row, (label, text) in enumerate(about):
        sheet.write_string(row, 0, label, formats["head"])
        sheet.write_string(row, 1, text, formats["wrap"])
    start = len(about) + 1
    sheet.write_string(start, 0, "列 column", formats["head"])
    sheet.write_string(start, 1, "含义 meaning", formats["head"])
    for offset, name in enumerate(columns, start=1):
        sheet.write_string(start + offset, 0, name)
        sheet.write_string(start + offset, 1, origin.columns.get(name, ""), formats["wrap"])


def _columns(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in connection.execute(f"describe {query}").fetchall()]


def _batches(connection: duckdb.DuckDBPyConnection, query: str) -> pa.RecordBatchReader:
    return connection.execute(query).to_arrow_reader(_ROWS_A_BATCH)


_Writer = Callable[[duckdb.DuckDBPyConnection, str, Path, _Origin], tuple[int, int]]
_WRITERS: dict[Format, _Writer] = {"csv": _write_csv, "parquet": _write_parquet, "xlsx": _write_xlsx}
