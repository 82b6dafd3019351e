"""Holding a lock file: by the operating system (``flock``), so that whoever dies leaves no lock behind.

What the file says about a holder is believed only while the lock is held. A process that was forked while its parent
held a lock gives its copy up at once: neither does it hold the lock, nor does the lock outlive the parent in it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from oneledger.locks.busy import BusyError
from oneledger.locks.holder import LockHolder, parse_holder, this_holder
from oneledger.outcomes import utc_now
from oneledger.settings import ConfigurationError

Refusal = Callable[[Path, LockHolder | None], BusyError]
Say = Callable[[str], None]

# Who only looks holds a shared lock for an instant, and who has just got the lock has not yet written its name: a
# refusal is given only when the lock is still taken after this.
_LOOKED_AT_SECONDS = 0.05
_NAMELESS_SECONDS = 1.0
_SAY_EVERY_SECONDS = 30.0
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
_NO_LOCKS_HERE = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


@dataclass
class Held:
    """A lock that this process holds."""

    path: Path
    descriptor: int
    thread_id: int
    holder: LockHolder

    def note(self, step: str) -> None:
        """Say in the lock file what is being done now."""
        if _held.get(self.path) is not self:
            return
        self.holder = replace(self.holder, step=step, since=utc_now().isoformat(timespec="seconds"))
        _write(self.descriptor, self.holder)


# Locks that this process holds, so that a step called by a run that already writes may write too.
_held: dict[Path, Held] = {}


@contextlib.contextmanager
def hold(
    path: Path,
    refusal: Refusal,
    *,
    run_id: str,
    step: str,
    wait_seconds: float = 0.0,
    say: Say | None = None,
) -> Iterator[Held]:
    """Hold the lock while the block runs.

    The thread that holds it may take it again under the same run: the file then names the inner step.

    Args:
        path: the lock file; it stays when the lock is given back, and must never be removed.
        refusal: makes the error from the path and the holder.
        run_id: the run that holds it.
        step: what it is doing.
        wait_seconds: how long to wait for somebody else before being refused; 0 refuses at once.
        say: told whom one waits for, at once and every half minute.

    Raises:
        BusyError: as ``refusal`` makes it; another process, or another part of this one, holds the lock.
        ConfigurationError: the lock file cannot be written, or the file system knows no locks.
    """
    own = _held.get(path)
    if own and own.thread_id == threading.get_ident() and own.holder.run_id == run_id:
        outer = own.holder
        own.note(step)
        try:
            yield own
        finally:
            own.holder = outer
            if _held.get(path) is own:
                _write(own.descriptor, outer)
        return
    descriptor = _taken(path, refusal, wait_seconds, say)
    process_id = os.getpid()
    try:
        held = Held(path, descriptor, threading.get_ident(), this_holder(run_id, step))
        _write(descriptor, held.holder)
        _held[path] = held
        try:
            yield held
        finally:
            # In a process that was forked within the block nothing is held, and the file is the parent's.
            if _held.get(path) is held:
                del _held[path]
                _write(descriptor, None)
    finally:
        # In a forked process the number may belong to another file by now.
        if os.getpid() == process_id:
            os.close(descriptor)


def holder_of(path: Path) -> LockHolder | None:
    """Who holds the lock now; None when nobody does. What a dead process wrote does not count."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        give_up_at = time.monotonic() + _NAMELESS_SECONDS
        while True:
            try:
                # A shared lock is refused only while somebody has the exclusive one.
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found = _read(descriptor)
                if found or time.monotonic() > give_up_at:
                    return found
                time.sleep(_PAUSES[0])
            else:
                return None
    finally:
        os.close(descriptor)


def _taken(path: Path, refusal: Refusal, wait_seconds: float, say: Say | None) -> int:
    """The descriptor of the lock file, locked."""
    began = time.monotonic()
    said_at: float | None = None
    tries = 0
    while True:
        descriptor = _opened(path)
        try:
            if _is_locked_now(descriptor, path):
                return descriptor
            holder = _read(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        waited = time.monotonic() - began
        # A name that a dead process left counts for none: the lock is about to be free, or has a new holder.
        is_named = holder is not None and holder.is_alive is not False
        if waited > max(wait_seconds, _LOOKED_AT_SECONDS if is_named else _NAMELESS_SECONDS):
            raise refusal(path, holder)
        if say and wait_seconds and is_named and (said_at is None or waited - said_at > _SAY_EVERY_SECONDS):
            said_at = waited
            say(f"waiting for {holder}; given up after {wait_seconds / 60:.0f} minutes, {waited:.0f} s so far")
        time.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
        tries += 1


def _opened(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError as error:
        raise ConfigurationError(
            f"The lock file {path} cannot be written: {error.strerror}. All of ONELEDGER_HOME belongs to one account; "
            "run the command as that one."
        ) from error


def _is_locked_now(descriptor: int, path: Path) -> bool:
    """Lock the file; False when somebody else has it, or when the file was removed meanwhile."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
        raise ConfigurationError(
            f"The file system of {path} knows no locks ({error.strerror}), so nothing could keep two writers apart. "
            "Set ONELEDGER_HOME to a local disk."
        ) from error
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write(descriptor: int, holder: LockHolder | None) -> None:
    os.ftruncate(descriptor, 0)
    if holder:
        os.pwrite(descriptor, holder.to_text().encode(), 0)


def _read(descriptor: int) -> LockHolder | None:
    return parse_holder(os.pread(descriptor, 65_536, 0).decode(errors="replace"))


def _give_up_in_child() -> None:
    """A forked process shares its parent's open files, and with them its locks."""
    for held in _held.values():
        with contextlib.suppress(OSError):
            os.close(held.descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_give_up_in_child)
