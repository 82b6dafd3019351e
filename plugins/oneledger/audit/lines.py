"""How the ledger's files are written: canonical JSON, one line at a time, never half."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oneledger.landing.durability import flush

_BLOCK = 1 << 16


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one way in which a seal is written: keys in order, no spaces, UTF-8, a line feed at the end."""
    return (json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()


def append_line(path: Path, line: bytes) -> None:
    """Add a line and bring it to disk, whole or not at all.

    Raises:
        OSError: the disk has no space for it; then nothing of it stays.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        # Who wrote before may have been cut off within the line.
        rest = line if not size or os.pread(descriptor, 1, size - 1) == b"\n" else b"\n" + line
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def lines_from_end(path: Path) -> Iterator[bytes]:
    """The lines of a file, last one first, read in blocks from its end."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        position = stream.seek(0, os.SEEK_END)
        rest = b""
        while position > 0:
            start = max(0, position - _BLOCK)
            stream.seek(start)
            rest = stream.read(position - start) + rest
            position = start
            lines = rest.splitlines(keepends=True)
            # The first of these may begin in the block before.
            rest = lines[0]
            yield from reversed(lines[1:])
        if rest:
            yield rest


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a partial name and put it in place on the disk, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    flush(path.parent)
