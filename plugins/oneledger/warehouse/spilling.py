"""Where DuckDB spills: a folder for each database that is open, removed when the process that had it is dead.

DuckDB names its spill files alike in every process and opens what is there: two databases that spill into one folder
overwrite each other's blocks, and both end with wrong rows or a crash (DuckDB 1.5.5, seen). So each process has a name
of its own under ``scratch/duckdb/``, kept by a lock on ``<name>.lock`` that the operating system frees when the
process dies, and each of its databases a folder ``<name>-<database>``. Whoever begins to write the warehouse removes
the folders of the dead: after a kill they may hold many gigabytes.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import itertools
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from oneledger.settings import Settings

FOLDER = "duckdb"
_LOCK = ".lock"


@dataclass(frozen=True)
class _Owner:
    """This process in one ``scratch/duckdb/``; ``descriptor`` holds the lock as long as the process lives."""

    process_id: int
    name: str
    descriptor: int


_owners: dict[Path, _Owner] = {}
_numbers = itertools.count(1)


def spill_folder(settings: Settings, database: str | None = None) -> Path:
    """Where a database of this process may spill; DuckDB makes the folder when it needs it.

    Args:
        settings: below whose home.
        database: a word for a database file that this process opens more than once: DuckDB wants the same options
            each time. None for one in memory, which nothing else may share.
    """
    root = settings.scratch_dir / FOLDER
    return root / f"{_owner(root).name}-{database or next(_numbers)}"


def clear_spills_of_the_dead(settings: Settings) -> list[str]:
    """Remove what dead processes spilled; returns the names of the folders. Those of living processes stay."""
    root = settings.scratch_dir / FOLDER
    removed = []
    for lock in sorted(root.glob(f"*{_LOCK}")):
        with contextlib.suppress(FileNotFoundError), lock.open("rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            name = lock.name.removesuffix(_LOCK)
            for folder in sorted(root.glob(f"{name}-*")):
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder.name)
            lock.unlink()
    return removed


def _owner(root: Path) -> _Owner:
    known = _owners.get(root)
    # A forked process has its parent's memory and is another one.
    if known is None or known.process_id != os.getpid() or not (root / f"{known.name}{_LOCK}").exists():
        known = _owners[root] = _new_owner(root)
    return known


def _new_owner(root: Path) -> _Owner:
    root.mkdir(parents=True, exist_ok=True)
    while True:
        # Containers that share a disk may give out the same process id.
        name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        path = root / f"{name}{_LOCK}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Between the two lines above somebody may have taken the file for that of a dead process.
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            atexit.register(_go, path, os.getpid())
            return _Owner(os.getpid(), name, descriptor)
        os.close(descriptor)


def _go(lock: Path, process_id: int) -> None:
    """A process that ends by itself leaves nothing; what it forked has this in its memory and must not do it."""
    if os.getpid() == process_id and not any(lock.parent.glob(f"{lock.name.removesuffix(_LOCK)}-*")):
        lock.unlink(missing_ok=True)
