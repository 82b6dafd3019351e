"""Rows as CSV, Parquet or a workbook; CSV and Parquet are sent while they are read, in bounded memory."""

from __future__ import annotations

import datetime as dt
import decimal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from oneledger.publishing.spreadsheet_text import harmless_array
from oneledger.web.api.relations import Column

ROWS_A_BATCH = 20_000
_SENT_AT_ONCE = 1 << 18


def csv_bytes(reader: pa.RecordBatchReader, columns: Sequence[Column], *, for_excel: bool) -> Iterator[bytes]:
    """CSV as RFC 4180 has it, UTF-8: dates in ISO, instants in UTC, a missing value is an empty field without quotes.

    Args:
        for_excel: begin with the mark that makes Excel read UTF-8, and put ' before text that it would run as a
            formula; without it values stay exactly as they are.
    """
    sink = _Sink()
    if for_excel:
        sink.write(b"\xef\xbb\xbf")
    schema = pa.schema(
        [pa.field(one.name, _csv_type(field.type)) for one, field in zip(columns, reader.schema, strict=True)]
    )
    with pa.csv.CSVWriter(sink, schema) as writer:
        for batch in reader:
            writer.write_batch(
                pa.record_batch([_as_csv(column, for_excel=for_excel) for column in batch.columns], schema=schema)
            )
            yield sink.taken()
    yield sink.taken()


def parquet_bytes(reader: pa.RecordBatchReader, told: Mapping[str, str]) -> Iterator[bytes]:
    """Parquet; ``told`` stands in the file's metadata."""
    sink = _Sink()
    schema = reader.schema.with_metadata({**(reader.schema.metadata or {}), **told})
    with pa.parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))
            if sink.waiting > _SENT_AT_ONCE:
                yield sink.taken()
    yield sink.taken()


def workbook(
    reader: pa.RecordBatchReader, columns: Sequence[Column], about: Sequence[tuple[str, str]]
) -> IO[bytes]:  # fmt: skip
    """An Excel file with the rows, and a sheet that says what they and their columns are.

    Returns:
        An open temporary file, at its beginning; it is gone when it is closed.
    """
    import xlsxwriter

    target = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed by whoever sends it
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(target, options) as book:
        head = book.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        shapes = {
            dt.date: book.add_format({"num_format": "yyyy-mm-dd"}),
            dt.datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        sheet = book.add_worksheet("数据 data")
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(columns):
            sheet.set_column(place, place, 16)
            sheet.write_string(0, place, column.name, head)
        count = 0
        for batch in reader:
            for row in zip(*(one.to_pylist() for one in batch.columns), strict=True):
                count += 1
                for place, value in enumerate(row):
                    _write(sheet, count, place, value, shapes)
        sheet.autofilter(0, 0, max(count, 1), max(len(columns) - 1, 0))
        notes = book.add_worksheet("说明 definitions")
        for place, width in enumerate((28, 24, 28, 90)):
            notes.set_column(place, place, width)
        for line, (label, text) in enumerate(about):
            notes.write_string(line, 0, label, head)
            notes.write_string(line, 1, text)
        first = len(about) + 1
        for place, label in enumerate(("列 column", "名称 title", "English", "含义 meaning")):
            notes.write_string(first, place, label, head)
        for line, column in enumerate(columns, start=first + 1):
            for place, text in enumerate((column.name, column.title_zh, column.title_en, column.description)):
                notes.write_string(line, place, text, wrapped)
    target.seek(0)
    return target


def parts_of(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of an open file, which is closed at the end."""
    with file:
        while part := file.read(_SENT_AT_ONCE):
            yield part


def batches(
    cursor: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any]
) -> pa.RecordBatchReader:  # fmt: skip
    """The rows of a statement of ours, some at a time."""
    return cursor.execute(sql, dict(values)).to_arrow_reader(ROWS_A_BATCH)


def _write(sheet: Any, row: int, column: int, value: Any, shapes: Mapping[type, Any]) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float | decimal.Decimal) and abs(float(value)) < 10**15:
        sheet.write_number(row, column, float(value))
    elif isinstance(value, dt.date) and value.year >= 1900:
        sheet.write_datetime(row, column, value, shapes[type(value)])
    else:
        # As text always: a value that begins with = must not become a formula.
        sheet.write_string(row, column, str(value)[:32_767])


def _csv_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind) or pa.types.is_nested(kind):
        return pa.string()
    return kind


def _as_csv(column: pa.Array, *, for_excel: bool) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        texts = [None if one is None else f"{one.isoformat()}Z" for one in column.to_pylist()]
        return pa.array(texts, pa.string())
    if pa.types.is_nested(column.type):
        column = pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.string())
    return harmless_array(column) if for_excel else column


class _Sink:
    """A file to write to whose content is taken away bit by bit."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._position = 0
        self.waiting = 0
        self.closed = False

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        self.waiting += len(part)
        return len(part)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def taken(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        self.waiting = 0
        return content
