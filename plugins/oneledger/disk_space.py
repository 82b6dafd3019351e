"""Telling a full disk from everything else that may go wrong while something is written."""

from __future__ import annotations

import errno
import shutil
import sqlite3

from oneledger.settings import Settings

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
# How DuckDB, SQLite and the C library word it; dbt and Great Expectations hand on only the words.
_WORDS = ("no space left on device", "disk quota exceeded", "database or disk is full", "could not write all bytes")


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is that the disk has no more space."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return True
        if isinstance(error, sqlite3.Error) and error.sqlite_errorname == "SQLITE_FULL":
            return True
        if says_disk_full(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def says_disk_full(message: str) -> bool:
    """Whether a message that was handed on says so."""
    return any(words in message.lower() for words in _WORDS)


def problem_and_remedy(settings: Settings) -> tuple[str, str]:
    """What to tell a person about it."""
    free = shutil.disk_usage(settings.home).free
    return (
        f"The disk of {settings.home} is full ({free / 1e6:,.0f} MB free): the run could not go on. "
        "The published version stays in place.",
        "Free space (`oneledger retention plan` says what may go), then run again. Nothing needs to be undone: the "
        "next run takes away what is half-made and goes on from what is complete.",
    )
