"""Bring written files to the disk before anything says that they are there."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

# Beyond this many files one flush of the whole file system costs less than one flush each.
_FLUSH_ONE_BY_ONE = 12


def flush_files(paths: Sequence[Path], any_directory: Path) -> None:
    """Flush these files (and directories); many of them with one call for the file system they lie on."""
    if len(paths) > _FLUSH_ONE_BY_ONE and _flush_file_system(any_directory):
        return
    for path in paths:
        flush(path)


def flush(path: Path) -> None:
    """Flush one file or directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_file_system(directory: Path) -> bool:
    """``syncfs``; False where the system has none (then the caller flushes one by one)."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        return False
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        return int(syncfs(descriptor)) == 0
    finally:
        os.close(descriptor)
