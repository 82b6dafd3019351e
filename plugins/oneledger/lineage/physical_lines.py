"""Single lines out of a large packed file, without keeping, decoding or taking apart the others."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
# Bits of the window, and that a header of gzip stands before the data.
_GZIP_WINDOW = 31


def lines_at(payload: bytes, numbers: Iterable[int], *, is_plain: bool = True, quote: bytes = b"") -> (
    dict[int, bytes] | None
):  # fmt: skip
    """Lines of a file by their number, 1 the first, each without its end; of numbers behind the last line none.

    Args:
        payload: the bytes of the file, packed with gzip or not.
        is_plain: give None when, up to the last line asked for, a line may not be one record: an empty line, the
            quotation mark ``quote``, an end of line that is none of ``\\n`` and ``\\r\\n``, or a file of wide letters.

    Raises:
        zlib.error, EOFError: the file is not whole.
    """
    wanted = set(numbers)
    last = max(wanted, default=0)
    found: dict[int, bytes] = {}
    number, rest = 0, b""
    for chunk in _unpacked(payload):
        block = rest + chunk
        end = block.rfind(b"\n") + 1
        whole, rest = block[:end], block[end:]
        if is_plain and _may_not_be_records(whole, quote):
            return None
        count = whole.count(b"\n")
        if any(number < one <= number + count for one in wanted):
            lines = whole.split(b"\n")
            found |= {one: lines[one - number - 1] for one in wanted if number < one <= number + count}
        number += count
        if number >= last:
            return {one: line.removesuffix(b"\r") for one, line in found.items()}
    if rest:
        if is_plain and _may_not_be_records(rest, quote):
            return None
        if number + 1 in wanted:
            found[number + 1] = rest
    return {one: line.removesuffix(b"\r") for one, line in found.items()}


def _may_not_be_records(lines: bytes, quote: bytes) -> bool:
    return (
        bool(quote and quote in lines)
        or b"\0" in lines
        or lines.startswith((b"\n", b"\r\n"))
        or b"\n\n" in lines
        or b"\n\r\n" in lines
        or lines.count(b"\r") != lines.count(b"\r\n") + lines.endswith(b"\r")
    )


def _unpacked(payload: bytes) -> Iterator[bytes]:
    if payload[:2] != _GZIP:
        for place in range(0, len(payload), _CHUNK):
            yield payload[place : place + _CHUNK]
        return
    waiting = payload
    while waiting:
        # A file may be of several parts, one packed behind the other.
        unpacking = zlib.decompressobj(_GZIP_WINDOW)
        while waiting and not unpacking.eof:
            chunk = unpacking.decompress(waiting, _CHUNK)
            waiting = unpacking.unconsumed_tail
            if chunk:
                yield chunk
            elif not waiting and not unpacking.eof:
                break
        if not unpacking.eof:
            yield unpacking.flush()
            if not unpacking.eof:
                raise EOFError("the packed file ends before its end")
        waiting = unpacking.unused_data.lstrip(b"\0")
