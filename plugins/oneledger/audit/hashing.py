"""Hash many files at once, say how it goes on, and go on where a killed attempt ended.

Threads suffice: hashing gives up the interpreter's lock. A file that has several names (hard links) is read once.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from oneledger.settings import Settings

# A state left longer ago than this is not gone on with: too much can have happened since.
_STATE_HOURS = 24
_SHOWN_EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class HashProgress:
    """How far hashing has come; ``bytes_per_second`` and ``seconds_left`` are estimates of this attempt."""

    files_done: int
    files_count: int
    bytes_done: int
    bytes_count: int
    bytes_per_second: float
    seconds_left: float | None


@dataclass
class HashRun:
    """What was hashed: by path the SHA-256, or in ``unread`` why there is none."""

    sha256: dict[Path, str] = field(default_factory=dict)
    unread: dict[Path, str] = field(default_factory=dict)
    bytes_count: int = 0
    taken_over_count: int = 0


Show = Callable[[HashProgress], None]
_Key = tuple[int, int, int, int, int]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def state_path(settings: Settings) -> Path:
    """What an interrupted verification has read already; gone after one that ended."""
    return settings.scratch_dir / "verify.jsonl"


def hash_files(
    settings: Settings,
    paths: Iterable[Path],
    *,
    workers: int | None = None,
    is_anew: bool = False,
    show: Show = lambda _: None,
) -> HashRun:
    """Hash these files in ``workers`` threads.

    What is read is noted in ``state_path``; when the process is killed, the next one takes it over for the files that
    have the same inode, size and times still, unless ``is_anew``. After the last file the note is removed.
    """
    run = HashRun()
    by_key: dict[_Key, list[Path]] = {}
    for path in dict.fromkeys(paths):
        try:
            by_key.setdefault(_key(path), []).append(path)
        except OSError as error:
            run.unread[path] = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
    run.bytes_count = sum(key[2] for key in by_key)
    state = state_path(settings)
    is_resumable = _can_be_noted(state)
    known = {} if is_anew or not is_resumable else _read_state(state)
    waiting = []
    for key, names in by_key.items():
        if key in known:
            run.taken_over_count += len(names)
            run.sha256 |= dict.fromkeys(names, known[key])
        else:
            waiting.append((key, names))
    # The largest first, so that no thread is left alone with it at the end.
    waiting.sort(key=lambda one: -one[0][2])
    _hash_waiting(run, waiting, state if is_resumable else None, workers or os.cpu_count() or 1, show, is_anew)
    if is_resumable:
        state.unlink(missing_ok=True)
    return run


def _hash_waiting(
    run: HashRun, waiting: list[tuple[_Key, list[Path]]], state: Path | None, workers: int, show: Show, is_anew: bool
) -> None:
    begun = shown = time.monotonic()
    total = sum(key[2] for key, _ in waiting)
    done = 0
    with (
        open(os.devnull if state is None else state, "wb" if is_anew else "ab", buffering=0) as notes,  # noqa: PTH123
        ThreadPoolExecutor(workers) as pool,
    ):
        futures: dict[Future[str], tuple[_Key, list[Path]]] = {
            pool.submit(sha256_of, names[0]): (key, names) for key, names in waiting
        }
        for number, future in enumerate(as_completed(futures), start=1):
            key, names = futures[future]
            done += key[2]
            try:
                digest = future.result()
            except OSError as error:
                run.unread |= dict.fromkeys(names, f"cannot be read: {error.strerror or error}")
            else:
                run.sha256 |= dict.fromkeys(names, digest)
                notes.write(json.dumps([*key, digest]).encode() + b"\n")
            now = time.monotonic()
            if now - shown > _SHOWN_EVERY_SECONDS or number == len(futures):
                shown = now
                rate = done / (now - begun) if now > begun else 0.0
                show(HashProgress(number, len(futures), done, total, rate, (total - done) / rate if rate else None))


def _can_be_noted(state: Path) -> bool:
    """False for a copy that cannot be written to, as an auditor may have it: then there is nothing to go on with."""
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(state if state.exists() else state.parent, os.W_OK)


def _key(path: Path) -> _Key:
    """What stays as long as nobody writes to the file; the time of change cannot be set back by its owner."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read_state(state: Path) -> dict[_Key, str]:
    try:
        if time.time() - state.stat().st_mtime > _STATE_HOURS * 3600:
            state.unlink()
            return {}
        lines = state.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    known: dict[_Key, str] = {}
    for line in lines:
        try:
            device, inode, size, changed, renewed, digest = json.loads(line)
        except (ValueError, TypeError):
            # The line that was being written when the process was killed.
            continue
        known[device, inode, size, changed, renewed] = digest
    return known
