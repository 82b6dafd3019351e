"""The very line of a landed file behind an admitted row, out of the bytes as they were received.

A row's ``_file_id`` is ``<batch_id>/<file name>``, its ``_row_number`` the record inside that file: of a delimited file
the n-th record that is not blank (a quoted line break does not end it), of a workbook the sheet's own row, of a JSON
page the n-th object of the list, of an extract of a database the n-th line.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from oneledger.catalogue import Catalogue, Entity
from oneledger.landing.manifest import manifest_sha256, read_manifest
from oneledger.lineage.physical_lines import lines_at
from oneledger.settings import Settings
from oneledger.sources.refusal import RefusalError

LineKind = Literal["delimited", "workbook", "json", "ndjson"]
_OTHER_ENCODINGS = ("utf-8-sig", "gb18030", "utf-16", "big5")


@dataclass(frozen=True)
class LandedLine:
    """One record of a landed file.

    Attributes:
        row_number: as rows carry it.
        first_line, last_line: physical lines of the (unpacked) file, 1 the first; None in workbooks and JSON pages.
        sheet: of a workbook, the sheet's name.
        text: the record as it stands in the file; of a workbook its cells, of a JSON page the object, as JSON.
        cells: its values by heading, as text.
    """

    row_number: int
    first_line: int | None
    last_line: int | None
    sheet: str | None
    text: str
    cells: dict[str, str | None]


@dataclass
class LandedFileLines:
    """A landed file, whether it is still what was received, and those of its lines that were asked for.

    ``problem`` says what is wrong: the file is gone, was changed, or does not hold such a line.
    """

    file_id: str
    batch_id: str
    source: str
    entity: str
    business_on: str
    path: Path
    source_name: str
    size_bytes: int
    sha256: str
    is_as_received: bool
    kind: LineKind
    extracted_at: str
    code_version: str
    manifest_sha256: str
    previous_manifest_sha256: str | None
    correction: dict[str, str] | None
    lines: list[LandedLine] = field(default_factory=list)
    problem: str | None = None


def batch_folder(settings: Settings, batch_id: str) -> Path:
    """Where the files of a batch lie: ``zheliban.usage.20221031.r001`` is ``zheliban/usage/20221031/r001``."""
    source, entity, rest = batch_id.split(".", 2)
    partition, _, revision = rest.rpartition(".")
    return settings.landing_dir / source / entity / partition / revision


def read_landed_lines(
    settings: Settings, catalogue: Catalogue, file_id: str, row_numbers: Iterable[int]
) -> LandedFileLines | None:
    """A landed file with the records of these numbers; None when its batch is not in landing any more.

    Raises:
        ConfigurationError: the catalogue does not know the entity.
    """
    batch_id, _, name = file_id.rpartition("/")
    folder = batch_folder(settings, batch_id)
    if not (folder / "manifest.json").is_file():
        return None
    manifest = read_manifest(folder)
    landed = next((one for one in manifest.files if one.name == name), None)
    if landed is None:
        return None
    path = folder / name
    entity = catalogue.entity(manifest.source, manifest.entity)
    http = catalogue.source(manifest.source).http
    found = LandedFileLines(
        file_id, batch_id, manifest.source, manifest.entity, manifest.business_on.isoformat(), path, landed.source_name,
        landed.size_bytes, landed.sha256, False, _kind_of(path, entity), manifest.extracted_at, manifest.code_version,
        manifest_sha256(folder), manifest.previous_manifest_sha256, manifest.correction,
    )  # fmt: skip
    wanted = sorted(set(row_numbers))
    try:
        payload = path.read_bytes()
    except OSError as error:
        found.problem = f"{path.name} cannot be read: {error.strerror or error}"
        return found
    found.is_as_received = hashlib.sha256(payload).hexdigest() == landed.sha256
    if not found.is_as_received:
        found.problem = f"{path.name} is not what was received: its SHA-256 is not that of the manifest"
    try:
        found.lines = _lines(found.kind, payload, path, entity, wanted, http.records if http is not None else "")
    except (ValueError, OSError, EOFError, zlib.error, csv.Error, RefusalError) as error:
        found.problem = found.problem or f"{path.name} cannot be read: {error}"
    missing = set(wanted) - {one.row_number for one in found.lines}
    if missing and found.problem is None:
        found.problem = f"{path.name} has no record {min(missing)}"
    return found


def _kind_of(path: Path, entity: Entity) -> LineKind:
    if path.suffix == ".json":
        return "json"
    if ".ndjson" in path.name:
        return "ndjson"
    return "workbook" if entity.workbook is not None else "delimited"


def _lines(
    kind: LineKind, payload: bytes, path: Path, entity: Entity, wanted: Sequence[int], records: str
) -> list[LandedLine]:
    if kind == "json":
        return _objects(payload, records, wanted)
    if kind == "ndjson":
        return _json_lines(payload, wanted)
    if kind == "workbook":
        return _sheet_rows(path, entity, wanted)
    return _records(payload, entity, wanted)


def _unpacked(payload: bytes) -> bytes:
    return gzip.decompress(payload) if payload[:2] == b"\x1f\x8b" else payload


def _decoded(payload: bytes, encoding: str) -> str:
    agreed = "utf-8-sig" if encoding.lower() in ("utf-8", "utf-8-sig") else encoding
    for one in (agreed, *_OTHER_ENCODINGS):
        try:
            return payload.decode(one)
        except UnicodeDecodeError:
            continue
    return payload.decode(agreed, errors="replace")


def _records(payload: bytes, entity: Entity, wanted: Sequence[int]) -> list[LandedLine]:
    """Where every line is a record, only the lines asked for are read; otherwise all records up to the last of them."""
    found = _one_line_records(payload, entity, wanted)
    return found if found is not None else _all_records(payload, entity, wanted)


def _one_line_records(payload: bytes, entity: Entity, wanted: Sequence[int]) -> list[LandedLine] | None:
    spec = entity.format
    heading = spec.skip_lines + 1
    quote = (spec.quote or "").encode()
    lines = lines_at(payload, [heading, *(heading + number for number in wanted)], quote=quote)
    if lines is None or heading not in lines:
        return None
    texts = _decoded(b"\n".join(lines[one] for one in sorted(lines)), spec.encoding).split("\n")
    if len(texts) != len(lines):
        return None
    delimiter = _delimiter(texts[0], spec.delimiter[0])
    reader = csv.reader(
        texts, delimiter=delimiter, quotechar=spec.quote or None,
        quoting=csv.QUOTE_MINIMAL if spec.quote else csv.QUOTE_NONE,
    )  # fmt: skip
    records = list(reader)
    if len(records) != len(texts) or not all(records):
        return None
    return [
        LandedLine(one - heading, one, one, None, text, _by_heading(records[0], record))
        for one, text, record in list(zip(sorted(lines), texts, records, strict=True))[1:]
    ]


def _delimiter(first_line: str, agreed: str) -> str:
    if agreed in first_line:
        return agreed
    return next((one for one in (",", ";", "\t", "|") if one in first_line), agreed)


def _all_records(payload: bytes, entity: Entity, wanted: Sequence[int]) -> list[LandedLine]:
    spec = entity.format
    text = _decoded(_unpacked(payload), spec.encoding)
    # Not ``splitlines``, which ends a line also at letters that mean a line to a typesetter only.
    physical = io.StringIO(text, newline="").readlines()
    delimiter = _delimiter(text.split("\n", 1)[0], spec.delimiter[0])
    reader = csv.reader(
        physical[spec.skip_lines :], delimiter=delimiter, quotechar=spec.quote or None,
        quoting=csv.QUOTE_MINIMAL if spec.quote else csv.QUOTE_NONE,
    )  # fmt: skip
    header: list[str] | None = None
    found: list[LandedLine] = []
    asked = set(wanted)
    last, number, begun = max(wanted, default=0), 0, spec.skip_lines + 1
    for record in reader:
        ended = reader.line_num + spec.skip_lines
        if record and header is None:
            header = record
        elif record and header is not None:
            number += 1
            if number in asked:
                raw = "".join(physical[begun - 1 : ended]).rstrip("\r\n")
                found.append(LandedLine(number, begun, ended, None, raw, _by_heading(header, record)))
            if number >= last:
                break
        begun = ended + 1
    return found


def _by_heading(header: Sequence[str], record: Sequence[str]) -> dict[str, str | None]:
    names = [one.strip() or f"column {place}" for place, one in enumerate(header, start=1)]
    cells = {name: (value if value != "" else None) for name, value in zip(names, record, strict=False)}
    return cells | {f"column {place}": one for place, one in enumerate(record[len(names) :], start=len(names) + 1)}


def _json_lines(payload: bytes, wanted: Sequence[int]) -> list[LandedLine]:
    lines = lines_at(payload, wanted, is_plain=False) or {}
    found = []
    for number in sorted(lines):
        text = lines[number].decode("utf-8")
        if text.strip():
            found.append(LandedLine(number, number, number, None, text, _flat(json.loads(text))))
    return found


def _objects(payload: bytes, records: str, wanted: Sequence[int]) -> list[LandedLine]:
    content: Any = json.loads(_unpacked(payload).decode("utf-8"))
    for part in [one for one in records.split(".") if one]:
        content = content[part]
    return [
        LandedLine(n, None, None, None, json.dumps(content[n - 1], ensure_ascii=False), _flat(content[n - 1]))
        for n in wanted
        if 0 < n <= len(content)
    ]


def _flat(record: Any, prefix: str = "") -> dict[str, str | None]:
    """An object's values by dotted key, as text."""
    flat: dict[str, str | None] = {}
    for key, value in record.items() if isinstance(record, dict) else ():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, str):
            flat[prefix + key] = value
        else:
            flat[prefix + key] = json.dumps(value, ensure_ascii=False)
    return flat


def _sheet_rows(path: Path, entity: Entity, wanted: Sequence[int]) -> list[LandedLine]:
    sheet, names, rows = _sheet(path, entity)
    found = []
    for number in wanted:
        if number in rows:
            cells = dict(zip(names, rows[number], strict=False))
            text = json.dumps({key: one for key, one in cells.items() if one is not None}, ensure_ascii=False)
            found.append(LandedLine(number, None, None, sheet, text, cells))
    return found


def _sheet(path: Path, entity: Entity) -> tuple[str, list[str], dict[int, list[str | None]]]:
    """Name, headings and rows by number of the sheet that holds the table."""
    import python_calamine as calamine

    from oneledger.raw.workbook import read_sheet

    if entity.workbook is None:
        raise ValueError("the entity is no workbook")
    table = read_sheet(path, entity.workbook, entity.decisions)
    with calamine.CalamineWorkbook.from_path(str(path)) as workbook:
        names = workbook.sheet_names
    wanted = entity.workbook.sheet
    sheet = names[wanted] if isinstance(wanted, int) else (wanted if wanted in names else names[0])
    return sheet, table.names, dict(zip(table.row_numbers, table.rows, strict=True))
