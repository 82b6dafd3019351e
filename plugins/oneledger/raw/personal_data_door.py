"""Personal data at the door: looked for in the raw rows of a delivery before anything of it is landed.

The rule, by the decision ``personal_data`` of the source or entity (docs/security.md, docs/sources.md):

- ``refuse`` (default): nothing of the delivery is landed; the outcome names columns, kinds and rows, never a value.
- ``mask``: the middle of what was found becomes stars in the payload, and so it lands; its hash is that of the masked
  bytes. A workbook is refused all the same: its parts cannot be changed without changing what was signed or computed.
- ``quarantine``: it lands as received, and admission holds the rows back.

Looked at are the free texts of the catalogue, its codes for identity numbers, columns that the catalogue does not know,
records that could not be read, and in workbooks the cells around the table.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

import duckdb

from oneledger.catalogue import Entity, FormatSpec, worded
from oneledger.quality.personal_data import (
    KINDS,
    TITLES,
    Kind,
    examples,
    forbidden_kinds,
    holds,
    without_decimals,
)
from oneledger.raw.sql_text import identifier, literal
from oneledger.sources.received import Received, ReceivedFile
from oneledger.sources.refusal import RefusalError

_SHOWN = 5
_KINDS_AROUND: tuple[Kind, ...] = ("identity_number", "mobile_number", "bank_card")
_SHORTEST_AROUND = 11
_CHARACTERS_AT_A_TIME = 4_000_000
_MASKED_DIGITS = re.compile(r"[0-9０-９]")


@dataclass(frozen=True)
class Found:
    """Personal data of one kind in one column. ``rows`` are some of the places, ``file row number``."""

    column: str
    kind: Kind
    count: int
    rows: tuple[str, ...]

    def __str__(self) -> str:
        zh, en = TITLES[self.kind]
        more = ", …" if self.count > len(self.rows) else ""
        return f"{self.column}: {zh} ({en}) in {self.count} rows ({', '.join(self.rows)}{more})"


def find_personal_data(
    connection: duckdb.DuckDBPyConnection, entity: Entity, raw: Path, around: Sequence[tuple[str, str]] = ()
) -> list[Found]:
    """What stands in the raw rows of a delivery; one pass over them. Values are neither returned nor written.

    Args:
        around: place and text of the cells of workbooks that are in no row.
    """
    if entity.decisions.personal_data == "quarantine":
        return []
    return [*_in_rows(connection, entity, raw), *_around(connection, around)]


def _in_rows(connection: duckdb.DuckDBPyConnection, entity: Entity, raw: Path) -> list[Found]:
    looked_at = _looked_at(entity)
    rows = f"read_parquet({literal(str(raw))})"
    place = "parse_filename(_file_id) || ' row ' || _row_number"
    flags = ", ".join(
        f"{holds(_text_of(column), kind)} as {identifier(_flag(column, kind))}" for column, kind in looked_at
    )
    counted = ", ".join(
        f"count(*) filter ({identifier(_flag(column, kind))}), "
        f"min_by({place}, (_file_id, _row_number), {_SHOWN}) filter ({identifier(_flag(column, kind))})"
        for column, kind in looked_at
    )
    answer = connection.execute(
        f"with flagged as (select _file_id, _row_number, {flags} from {rows}) select {counted} from flagged"
    ).fetchone()
    values = list(answer or ())
    return [
        Found(_name(column), kind, values[2 * number], tuple(values[2 * number + 1] or ()))
        for number, (column, kind) in enumerate(looked_at)
        if values[2 * number]
    ]


def _around(connection: duckdb.DuckDBPyConnection, around: Sequence[tuple[str, str]]) -> list[Found]:
    """Titles, notes and other sheets: numbers with a check digit and mobile numbers; the address of an office may
    stand there."""
    long_enough = [(place, text) for place, text in around if len(text) >= _SHORTEST_AROUND]
    if not long_enough:
        return []
    found = []
    for kind in _KINDS_AROUND:
        rows = connection.execute(
            f"select place from (select unnest($places) as place, unnest($texts) as text) "
            f"where {holds(without_decimals('text'), kind)}",
            {"places": [place for place, _ in long_enough], "texts": [text for _, text in long_enough]},
        ).fetchall()
        if rows:
            found.append(Found(_name("_around"), kind, len(rows), tuple(row[0] for row in rows[:_SHOWN])))
    return found


def refusal_of(entity: Entity, received: Received, found: Sequence[Found], why: str = "") -> RefusalError:
    """What is said of a delivery that is not landed for its personal data; no value stands in it."""
    names = ", ".join(file.source_name.split("?")[0] for file in received.files[:3])
    columns = sorted({one.column for one in found})
    return RefusalError(
        f"{names} holds personal data: {'; '.join(map(str, found[:_SHOWN]))}; nothing of it was landed{why}.",
        f"The sender removes it from {', '.join(columns)} and delivers again; where it belongs by law, the catalogue "
        f"says `personal_data: allowed` at the column, or `decisions: {{personal_data: mask}}`.",
        {"files": [file.name for file in received.files][:20], "columns": columns,
         "found": [{"column": one.column, "kind": one.kind, "rows": one.count} for one in found]},
        problem="personal_data",
    )  # fmt: skip


def mask_payload(
    connection: duckdb.DuckDBPyConnection, entity: Entity, received: Received, raw: Path, found: Sequence[Found]
) -> Received:
    """The delivery with stars in place of what was found, in its payload files; the caller converts it again.

    Only just these numbers and addresses change, wherever they stand in a file; all other bytes stay.
    """
    texts = _found_texts(connection, entity, raw, {one.kind for one in found})
    if not texts:
        return received
    sought = re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)))
    files = tuple(_masked_file(entity, received.directory, file, sought) for file in received.files)
    said = worded("personal_data", f"masked before landing: {'; '.join(map(str, found[:_SHOWN]))}")
    return replace(received, files=files, warnings=(*received.warnings, said))


def _looked_at(entity: Entity) -> list[tuple[str, Kind]]:
    pairs = [(column.name, kind) for column in entity.delivered_columns for kind in forbidden_kinds(entity, column)]
    return [*pairs, *(("_extra", kind) for kind in KINDS)]


def _text_of(column: str) -> str:
    return without_decimals("_extra") if column == "_extra" else identifier(column)


def _flag(column: str, kind: Kind) -> str:
    return f"{column} {kind}"


def _name(column: str) -> str:
    named = {"_extra": "列外内容 beside the agreed columns", "_around": "表外内容 around the table"}
    return named.get(column, column)


def _found_texts(
    connection: duckdb.DuckDBPyConnection, entity: Entity, raw: Path, kinds: set[Kind]
) -> set[str]:  # fmt: skip
    """The substrings to mask; they stay in this process."""
    texts: set[str] = set()
    for column, kind in _looked_at(entity):
        if kind in kinds:
            name = _text_of(column)
            rows = connection.execute(
                f"select distinct unnest({examples(name, kind)}) from read_parquet({literal(str(raw))}) "
                f"where {holds(name, kind)}"
            ).fetchall()
            texts.update(row[0] for row in rows)
    return texts


def _masked(match: re.Match[str]) -> str:
    text = match[0]
    name, at, domain = text.partition("@") if "@" in text else text.partition("＠")
    if at:
        return f"{name[0]}***{at}{domain}"
    return text[:3] + _MASKED_DIGITS.sub("*", text[3:-2]) + text[-2:]


def _masked_file(entity: Entity, directory: Path, file: ReceivedFile, sought: re.Pattern[str]) -> ReceivedFile:
    path = directory / file.name
    partial = directory / f"{file.name}.masked"
    with path.open("rb") as stream:
        is_packed = stream.read(2) == b"\x1f\x8b"
    encoding = entity.format.encoding if entity.files else FormatSpec().encoding
    with ExitStack() as streams:
        received = streams.enter_context(path.open("rb"))
        landing = streams.enter_context(partial.open("wb"))
        reading, writing = cast(IO[bytes], received), cast(IO[bytes], landing)
        if is_packed:
            reading = cast(IO[bytes], streams.enter_context(gzip.GzipFile(fileobj=received, mode="rb")))
            packing = gzip.GzipFile(filename="", mode="wb", fileobj=landing, mtime=0)
            writing = cast(IO[bytes], streams.enter_context(packing))
        # A number never goes over a line; what is no text of the encoding passes through as it is.
        text = io.TextIOWrapper(reading, encoding=encoding, errors="surrogateescape", newline="")
        while lines := text.readlines(_CHARACTERS_AT_A_TIME):
            writing.write(sought.sub(_masked, "".join(lines)).encode(encoding, "surrogateescape"))
    partial.replace(path)
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return replace(file, sha256=sha256, size_bytes=path.stat().st_size)
