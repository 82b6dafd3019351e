"""Bring a delimited file into plain UTF-8, strictly, in bounded memory, and read its header."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from oneledger.catalogue import FormatSpec
from oneledger.sources.refusal import RefusalError

_CHUNK = 1024 * 1024
_UTF8 = ("utf-8", "utf-8-sig")
_OTHER_ENCODINGS = ("utf-8", "gb18030", "utf-16", "big5")
_LONGEST_FIELD = 16 * 1024 * 1024
_WEB_PAGE_BYTES = 512
# Tables pack to a tenth or so; a bomb to a thousandth. Small ones do no harm.
_MOST_TIMES_PACKED = 200
_HARMLESS_BYTES = 64 * 1024 * 1024
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_WEB_PAGE = re.compile(r"\ufeff?\s*<(!doctype\s+html|html|head|\?xml[^>]*\?>\s*<!doctype\s+html)", re.IGNORECASE)


@dataclass(frozen=True)
class DecodedFile:
    """A file as UTF-8 text without its header. ``header`` are the cells as written; None for no line at all."""

    body: Path
    header: list[str]
    has_rows: bool
    has_nul: bool = False


class _UndecodableError(Exception):
    def __init__(self, offset: int, byte: int) -> None:
        super().__init__(f"byte {offset}")
        self.offset = offset
        self.byte = byte


def decode_file(
    source: Path,
    target: Path,
    spec: FormatSpec,
    *,
    errors: Literal["strict", "replace"] = "strict",
    is_gzip_optional: bool = False,
) -> DecodedFile:
    """Unpack and decode ``source`` into ``target``, without the skipped lines and the header.

    Args:
        errors: ``replace`` writes U+FFFD for what the encoding does not know.
        is_gzip_optional: a file that is not packed is read as it is.

    Raises:
        RefusalError: the gzip is cut off or broken, the bytes are not in the catalogue's encoding (says which one
            fits), or there is no header.
    """
    try:
        with _open(source, spec, is_gzip_optional) as stream, target.open("wb") as writing:
            header, has_rows, has_nul = _copy_decoded(stream, writing, spec, errors, source.name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RefusalError(
            f"{source.name} is no whole gzip file: {error}.",
            "The file was cut off or changed on its way: the sender delivers it again.",
            {"file": source.name},
            problem="truncated_file",
        ) from error
    except _UndecodableError as error:
        fitting = fitting_encodings(source, spec)
        raise RefusalError(
            f"{source.name} is not written in {spec.encoding}: byte {error.offset:,} (0x{error.byte:02x}) cannot be "
            f"read; {'it can be read as ' + ' or '.join(fitting) if fitting else 'no usual encoding fits'}.",
            "The sender writes the file in the agreed encoding; if it was changed for good, set `format.encoding`.",
            {"file": source.name, "encoding": spec.encoding, "byte_offset": error.offset, "fitting": fitting},
            problem="other_encoding" if fitting else "undecodable_bytes",
        ) from error
    if not header:
        raise RefusalError(
            f"{source.name} has no header line; the file is empty.",
            "The sender delivers the file again.",
            {"file": source.name},
            problem="empty_file",
        )
    return DecodedFile(target, header, has_rows, has_nul)


def _open(path: Path, spec: FormatSpec, is_gzip_optional: bool = False) -> IO[bytes]:
    with path.open("rb") as stream:
        magic = stream.read(2)
    is_gzip = magic == b"\x1f\x8b"
    if spec.compression == "gzip" and not is_gzip and not is_gzip_optional:
        refuse_web_page(path.name, path.read_bytes()[:_WEB_PAGE_BYTES].decode("utf-8", "replace"))
        raise RefusalError(
            f"{path.name} is no gzip file; the catalogue says compression: gzip.",
            "The sender packs the file; or set `format.compression: none`.",
            {"file": path.name},
            problem="not_compressed",
        )
    if is_gzip:
        return cast(IO[bytes], _BoundedGzip(path, spec.max_unpacked_bytes))
    return path.open("rb")


class _BoundedGzip(gzip.GzipFile):
    """A packed file of which no more is read than the catalogue allows."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(path, "rb")
        self._path = path
        self._most = most
        self._packed_bytes = path.stat().st_size

    def read(self, size: int | None = -1) -> bytes:
        content: bytes = super().read(size)
        unpacked = self.tell()
        if unpacked > self._most or (unpacked > _HARMLESS_BYTES and unpacked > self._packed_bytes * _MOST_TIMES_PACKED):
            what = (
                f"more than {self._most:,} bytes (`format.max_unpacked_bytes`)"
                if unpacked > self._most
                else f"more than {_MOST_TIMES_PACKED} times its {self._packed_bytes:,} bytes, as only a bomb does"
            )
            raise RefusalError(
                f"{self._path.name} unpacks to {what}.",
                "The sender delivers the rows in several files; when nobody there made such a file, treat it as an "
                "attack and find out who can write to the folder.",
                {"file": self._path.name},
                problem="too_large",
            )
        return content


def refuse_web_page(name: str, beginning: str) -> None:
    """Raise RefusalError when a file begins as a web page does."""
    if _WEB_PAGE.match(beginning):
        raise RefusalError(
            f"{name} is a web page, not the agreed file; it begins with {' '.join(beginning.split())[:120]!r}.",
            "The sender's export fetched a log-in or error page instead of the data: it is corrected and run again.",
            {"file": name},
            problem="web_page",
        )


def _copy_decoded(
    stream: IO[bytes], writing: IO[bytes], spec: FormatSpec, errors: str, name: str
) -> tuple[list[str], bool, bool]:
    """Header, whether there are rows, whether a NUL byte stands in them."""
    decoder = codecs.getincrementaldecoder("utf-8-sig" if spec.encoding in _UTF8 else spec.encoding)(errors)
    head = ""
    header: list[str] | None = None
    has_rows = has_nul = False
    consumed = 0
    while True:
        chunk = stream.read(_CHUNK)
        is_last = not chunk
        try:
            text = decoder.decode(chunk, final=is_last)
        except UnicodeDecodeError as error:
            # The decoder's own position counts from the bytes that it had kept back.
            kept_back = len(error.object) - len(chunk)
            raise _UndecodableError(consumed - kept_back + error.start, error.object[error.start]) from error
        except UnicodeError as error:
            # UTF-16 without its byte order mark: no position, the first byte is wrong.
            raise _UndecodableError(consumed, chunk[0]) from error
        consumed += len(chunk)
        if header is None:
            head += text
            refuse_web_page(name, head[:_WEB_PAGE_BYTES])
            found = _split_header(head, spec, is_last)
            if found is None:
                if len(head) > _LONGEST_FIELD:
                    raise RefusalError(
                        f"{name}: the header does not end: a quotation mark in it is never closed.",
                        "The sender corrects the header.",
                        {"file": name},
                        problem="unclosed_quote",
                    )
                if is_last:
                    return [], False, False
                continue
            header, text = found
        if text:
            has_rows = has_rows or bool(text.strip())
            has_nul = has_nul or "\x00" in text
            writing.write(text.encode("utf-8"))
        if is_last:
            return header, has_rows, has_nul


def _split_header(text: str, spec: FormatSpec, is_last: bool) -> tuple[list[str], str] | None:
    """The cells of the header and the text after it; None when the header is not whole yet."""
    rest = text
    for _ in range(spec.skip_lines):
        _, separator, rest = rest.partition("\n")
        if not separator:
            return None
    rest = _BLANK_LINES.sub("", rest, count=1)
    end = _end_of_record(rest, spec.quote)
    if end is None:
        if not (is_last and rest.strip()):
            return None
        end = len(rest)
    record = rest[:end]
    cells = next(csv.reader(io.StringIO(record, newline=""), delimiter=spec.delimiter[0], quotechar=spec.quote or None,
                            quoting=csv.QUOTE_MINIMAL if spec.quote else csv.QUOTE_NONE))  # fmt: skip
    return cells, rest[end:]


def _end_of_record(text: str, quote: str) -> int | None:
    """Where the first record ends (behind its line break); line breaks between quotation marks do not end it."""
    position = 0
    while True:
        newline = text.find("\n", position)
        if newline < 0:
            return None
        if not quote or text.count(quote, 0, newline) % 2 == 0:
            return newline + 1
        position = newline + 1


def fitting_encodings(path: Path, spec: FormatSpec) -> list[str]:
    """The usual encodings, other than the agreed one, that read the whole file."""
    fitting = []
    for encoding in _OTHER_ENCODINGS:
        if codecs.lookup(encoding).name == spec.encoding:
            continue
        try:
            with _open(path, spec) as stream:
                decoder = codecs.getincrementaldecoder(encoding)("strict")
                while chunk := stream.read(_CHUNK):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
            fitting.append(encoding)
        except (UnicodeError, EOFError, OSError, zlib.error):
            continue
    return fitting


def records_of(path: Path, spec: FormatSpec, name: str) -> Iterator[tuple[int, list[str]]]:
    """The records of a decoded body, one by one, whatever their width, each with the line on which it begins.

    The header is line 1 of the file; the body begins on line 2.

    Raises:
        RefusalError: a quotation mark is never closed.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    with path.open("r", encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream, delimiter=spec.delimiter[0], quotechar=spec.quote or None,
                            quoting=csv.QUOTE_MINIMAL if spec.quote else csv.QUOTE_NONE)  # fmt: skip
        try:
            begun = 2
            for record in reader:
                if record:
                    yield begun, record
                begun = reader.line_num + 2
        except csv.Error as error:
            raise RefusalError(
                f"{name}: the text after line {reader.line_num} cannot be read: {error}; a quotation mark is not "
                f"closed there.",
                "The sender corrects that line and delivers the file again.",
                {"file": name, "line": reader.line_num},
                problem="unclosed_quote",
            ) from error
