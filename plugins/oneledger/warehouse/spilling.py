"""Where DuckDB spills: a folder for each database instance.

DuckDB 1.5 names its spilled files alike in each process, opens them without a lock, and removes what lies there when it
closes: two instances that share a folder read each other's blocks. A page's query beside the nightly would crash both.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import socket
from pathlib import Path

import psutil

from oneledger.settings import Settings

FOLDER = "duckdb"
_NAME = re.compile(r"(?P<host>.+)-(?P<pid>\d+)-(?P<use>\w+)")
_numbers = itertools.count(1)
_swept: set[tuple[int, Path]] = set()


def spill_directory(settings: Settings, use: str = "") -> Path:
    """A folder below ``scratch/duckdb`` for one instance; DuckDB makes it when it spills and removes it in the end.

    Args:
        use: names the instance when several connections of this process belong to one (a database file); otherwise each
            call gives another folder.
    """
    folder = settings.scratch_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    return folder / f"{socket.gethostname()}-{os.getpid()}-{use or next(_numbers)}"


def _sweep(folder: Path) -> None:
    """Once a process: remove what killed processes of this machine left."""
    if (os.getpid(), folder) in _swept:
        return
    _swept.add((os.getpid(), folder))
    for path in folder.iterdir():
        found = _NAME.fullmatch(path.name)
        if found and found["host"] == socket.gethostname() and not psutil.pid_exists(int(found["pid"])):
            with contextlib.suppress(FileNotFoundError):  # another process sweeps it, too
                shutil.rmtree(path)
