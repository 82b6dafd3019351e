"""The writer's lock: one process writes the warehouse, and the lock says which one.

The operating system holds the lock (``flock``), so a writer that dies leaves none behind; what the
file says about a holder is believed only while the lock is held.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from oneledger.outcomes import utc_now
from oneledger.settings import Settings


@dataclass(frozen=True)
class LockHolder:
    """Who writes the warehouse. ``since`` is UTC, ISO 8601."""

    pid: int
    host: str
    run_id: str
    step: str
    since: str

    def __str__(self) -> str:
        return f"run {self.run_id}, step {self.step} (process {self.pid} on {self.host}) since {self.since}"


class WriterBusyError(Exception):
    """Another process writes the warehouse; ``holder`` is None when it has not yet written its name."""

    def __init__(self, lock_path: Path, holder: LockHolder | None) -> None:
        self.lock_path = lock_path
        self.holder = holder
        who = str(holder) if holder else "a process that has not yet written its name into the lock file"
        end_it = f", or end process {holder.pid} on {holder.host} if it hangs" if holder else ""
        super().__init__(
            f"The warehouse is being written by {who}. Only one process may write it. "
            f"Wait until that run has ended and start again{end_it}; readers use the published version "
            f"and need not wait. Lock file: {lock_path}"
        )


@dataclass
class _Held:
    descriptor: int
    thread_id: int
    holder: LockHolder


# Locks that this process holds, so that a step called by a run that already writes may write too.
_held: dict[Path, _Held] = {}


@contextlib.contextmanager
def writer_lock(settings: Settings, *, run_id: str, step: str) -> Iterator[LockHolder]:
    """Hold the warehouse for writing; refuses at once when another process has it.

    The thread that holds it may take it again under the same run: the file then names the inner step.

    Args:
        settings: names the lock file (``settings.lock_path``).
        run_id: the run that writes.
        step: what it is doing, one of ``oneledger.outcomes.STEPS`` or a word that says it.

    Yields:
        The holder that the lock file names now.

    Raises:
        WriterBusyError: another process, or another part of this one, holds the lock.
    """
    path = settings.lock_path
    own = _held.get(path)
    if own and own.thread_id == threading.get_ident() and own.holder.run_id == run_id:
        with _inner_step(own, step) as holder:
            yield holder
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WriterBusyError(path, _read_holder(descriptor)) from error
        holder = LockHolder(os.getpid(), socket.gethostname(), run_id, step, utc_now().isoformat(timespec="seconds"))
        _write_holder(descriptor, holder)
        _held[path] = _Held(descriptor, threading.get_ident(), holder)
        try:
            yield holder
        finally:
            del _held[path]
            _write_holder(descriptor, None)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _inner_step(own: _Held, step: str) -> Iterator[LockHolder]:
    outer = own.holder
    own.holder = replace(outer, step=step, since=utc_now().isoformat(timespec="seconds"))
    _write_holder(own.descriptor, own.holder)
    try:
        yield own.holder
    finally:
        own.holder = outer
        _write_holder(own.descriptor, outer)


def lock_holder(settings: Settings) -> LockHolder | None:
    """Who holds the lock now; None when nobody does. What a dead process wrote does not count."""
    try:
        descriptor = os.open(settings.lock_path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # A shared lock is refused only while a writer has its exclusive one.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def _write_holder(descriptor: int, holder: LockHolder | None) -> None:
    os.ftruncate(descriptor, 0)
    if holder:
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)


def _read_holder(descriptor: int) -> LockHolder | None:
    content = os.pread(descriptor, 65536, 0)
    try:
        return LockHolder(**json.loads(content))
    except (json.JSONDecodeError, TypeError):
        # Between taking the lock and writing the name the file is empty or holds an older name cut off.
        return None
