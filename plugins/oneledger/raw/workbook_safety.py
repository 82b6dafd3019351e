"""Is a workbook safe to open? Looked at before any reader does: what it unpacks to, what its sheets claim, its XML.

A workbook is a zip archive of XML parts. A few kilobytes may unpack to gigabytes, two cells may claim a sheet of
17 thousand million, one long text may be meant by a million cells, and a document type declaration may define
entities that grow without end. A reader finds out when the memory is gone; so every part is unpacked here once, bit by
bit, counted, and thrown away.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from oneledger.sources.refusal import RefusalError

MOST_CELLS = 20_000_000
# What all texts of a sheet take when each cell has its own copy of the text that it shares with others.
MOST_TEXT_BYTES = 1024 * 1024 * 1024
MOST_PARTS = 5_000
# Tables of numbers pack to a tenth or a thirtieth; a bomb to a thousandth. Small ones do no harm.
MOST_TIMES_PACKED = 200
HARMLESS_BYTES = 64 * 1024 * 1024

_CHUNK = 1024 * 1024
_OVERLAP = 256
_LOCAL_HEADER = 30
_DECLARATION = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)|<\0!\0(?:D\0O\0C|E\0N\0T)|\0<\0!\0(?:D\0O|E\0N)", re.IGNORECASE)
# Where a cell or a row says that it stands; wherever it is written, so that no padding hides it.
_PLACE = re.compile(rb"[\s\"']r\s*=\s*[\"']\s*([A-Za-z]{0,3})(\d{1,10})")
# A cell that does not begin by saying where it stands: then it stands in its row, wherever that is.
_UNPLACED_CELL = re.compile(rb"<(?:\w+:)?c(?=[\s/>])(?!\s+r\s*=)")
_BLANKS = re.compile(rb"\s+")
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_SHARED_TEXTS = "xl/sharedstrings.xml"
_ITEM_END = re.compile(rb"</(?:\w+:)?si\s*>")
_SHARED_CELL = re.compile(rb"\bt\s*=\s*[\"']s[\"']")


@dataclass
class _Seen:
    """What was counted so far: of all parts, and of the sheet that is being looked at."""

    unpacked: int = 0
    cells_height: int = 0
    rows_height: int = 0
    width: int = 1
    has_unplaced_cells: bool = False
    shared_cells: int = 0
    item_lengths: array[int] = field(default_factory=lambda: array("Q"))
    item_begun: int = 0


def refuse_unsafe_workbook(path: Path, most_unpacked_bytes: int) -> None:
    """Raise RefusalError unless the archive unpacks to a workbook of a size that can be read.

    Time and memory are bounded by ``most_unpacked_bytes``; nothing is written.

    Args:
        path: the file as received, beginning as a zip archive does.
        most_unpacked_bytes: what all of its parts may take together (``workbook.max_unpacked_bytes``).
    """
    seen = _Seen()
    packed = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
            parts = archive.infolist()
            _check_parts(path, parts)
            for part in parts:
                seen.cells_height = seen.rows_height = 0
                seen.width, seen.has_unplaced_cells = 1, False
                for chunk, position in _unpacked(stream, part):
                    seen.unpacked += len(chunk) - position
                    _check_size(path, seen.unpacked, packed, most_unpacked_bytes)
                    _look_at(path, part.filename, chunk, position, seen)
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, EOFError) as error:
        raise RefusalError(
            f"{path.name} cannot be read as a workbook: {str(error).strip() or type(error).__name__}.",
            "The file is cut off or of another format: the sender delivers it again.",
            {"file": path.name},
            problem="truncated_file",
        ) from error
    longest = max(seen.item_lengths, default=0)
    if longest * seen.shared_cells > MOST_TEXT_BYTES and _shared_text_bytes(path, seen) > MOST_TEXT_BYTES:
        raise _too_large(path, f"its cells would hold more than {MOST_TEXT_BYTES:,} bytes of text")


def _check_parts(path: Path, parts: list[zipfile.ZipInfo]) -> None:
    names = [part.filename for part in parts]
    if len(names) > MOST_PARTS:
        raise _too_large(path, f"the archive has {len(names):,} parts, more than {MOST_PARTS:,}")
    if len(set(names)) < len(names):
        raise _unsafe(path, "a part stands twice in the archive, so two readers would read two workbooks")
    if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
        raise _unsafe(path, "a part is packed in a way that no spreadsheet program writes")
    if not any(name.lower() == "xl/workbook.xml" for name in names):
        raise RefusalError(
            f"{path.name} is no .xlsx workbook: the archive has no xl/workbook.xml; it has {', '.join(names[:5])}.",
            "The sender saves the table as .xlsx and delivers it again.",
            {"file": path.name},
            problem="not_a_workbook",
        )


def _unpacked(stream: IO[bytes], part: zipfile.ZipInfo) -> Iterator[tuple[bytes, int]]:
    """The bytes of a part, some at a time, whatever its header says that they are; each chunk begins with the end of
    the one before, and the number says from where on it is new."""
    stream.seek(part.header_offset)
    header = stream.read(_LOCAL_HEADER)
    if header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"{part.filename} is not where the archive says")
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    stream.seek(name_length + extra_length, 1)
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS) if part.compress_type == zipfile.ZIP_DEFLATED else None
    left = part.compress_size
    before = b""
    waiting = b""
    while left or waiting:
        if not waiting:
            waiting = stream.read(min(_CHUNK, left))
            if not waiting:
                raise EOFError(f"{part.filename} is cut off")
            left -= len(waiting)
        new = waiting if unpacker is None else unpacker.decompress(waiting, _CHUNK)
        waiting = b"" if unpacker is None else unpacker.unconsumed_tail
        if new:
            yield before + new, len(before)
            before = _BLANKS.sub(b" ", before + new)[-_OVERLAP:]
        if unpacker is not None and unpacker.eof:
            return


def _check_size(path: Path, unpacked: int, packed: int, most: int) -> None:
    if unpacked > most:
        raise _too_large(path, f"it unpacks to more than {most:,} bytes (`workbook.max_unpacked_bytes`)")
    if unpacked > HARMLESS_BYTES and unpacked > packed * MOST_TIMES_PACKED:
        raise _too_large(
            path, f"it unpacks to more than {MOST_TIMES_PACKED} times its {packed:,} bytes, as only a zip bomb does"
        )


def _look_at(path: Path, name: str, chunk: bytes, position: int, seen: _Seen) -> None:
    lower = name.lower()
    if not lower.endswith((".xml", ".rels", ".vml")):
        return
    if _DECLARATION.search(chunk):
        raise _unsafe(path, f"{name} declares a document type or entities, which no workbook needs")
    if _SHEET.fullmatch(name):
        _measure(path, chunk, seen)
        seen.shared_cells += len(_SHARED_CELL.findall(chunk, position))
    elif lower == _SHARED_TEXTS:
        new = chunk[position:]
        ends = [match.end() for match in _ITEM_END.finditer(new)]
        for end in ends:
            seen.item_lengths.append(seen.item_begun + end)
            seen.item_begun = -end
        seen.item_begun += len(new)
        if len(seen.item_lengths) > MOST_CELLS:
            raise _too_large(path, f"it has more than {MOST_CELLS:,} texts")


def _measure(path: Path, chunk: bytes, seen: _Seen) -> None:
    """How far apart the cells of the sheet stand: readers make a table of everything between them."""
    places = _PLACE.findall(chunk)
    seen.cells_height = max([seen.cells_height, *(int(row) for letters, row in places if letters)])
    seen.rows_height = max([seen.rows_height, *(int(row) for letters, row in places if not letters)])
    seen.width = max([seen.width, *map(_column_number, {letters for letters, _ in places})])
    seen.has_unplaced_cells = seen.has_unplaced_cells or _UNPLACED_CELL.search(chunk) is not None
    # Rows that are only formatted, down to the last one, are no cells.
    height = max(seen.cells_height, seen.rows_height) if seen.has_unplaced_cells else seen.cells_height
    if height * seen.width > MOST_CELLS:
        raise _too_large(path, f"the sheet claims {height:,} × {seen.width:,} cells, more than {MOST_CELLS:,}")


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _shared_text_bytes(path: Path, seen: _Seen) -> int:
    """The text of all cells that share it; counts a number cell as if it were one, so rather too much."""
    total = 0
    lengths = seen.item_lengths
    with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        for part in archive.infolist():
            if not _SHEET.fullmatch(part.filename):
                continue
            for chunk, _ in _unpacked(stream, part):
                for text in re.findall(rb"t\s*=\s*[\"']s[\"'][^<>]*>\s*<(?:\w+:)?v>(\d{1,9})<", chunk):
                    total += lengths[int(text)] if int(text) < len(lengths) else 0
                if total > MOST_TEXT_BYTES:
                    return total
    return total


def _too_large(path: Path, what: str) -> RefusalError:
    return RefusalError(
        f"{path.name}: {what}.",
        "The sender removes formatted but empty rows and columns, or delivers the table as CSV; when nobody there "
        "made such a file, treat it as an attack and find out who can write to the folder.",
        {"file": path.name},
        problem="too_large",
    )


def _unsafe(path: Path, what: str) -> RefusalError:
    return RefusalError(
        f"{path.name}: {what}.",
        "The sender saves the workbook anew with a spreadsheet program; when nobody there made such a file, treat it "
        "as an attack and find out who can write to the folder.",
        {"file": path.name},
        problem="unsafe_content",
    )
