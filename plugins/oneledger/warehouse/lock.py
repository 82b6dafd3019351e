"""The writer's lock: one process writes the warehouse, and the lock says which one (see ``oneledger.locks``)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from oneledger.locks import BusyError, LockHolder
from oneledger.locks.holding import Say, hold
from oneledger.locks.register import WRITER
from oneledger.settings import Settings


class WriterBusyError(BusyError):
    """Another process writes the warehouse; ``holder`` is None when it has not yet written its name."""


@contextlib.contextmanager
def writer_lock(
    settings: Settings, *, run_id: str, step: str, wait_seconds: float = 0.0, say: Say | None = None
) -> Iterator[LockHolder]:
    """Hold the warehouse for writing; refuses at once when another process has it, unless one is told to wait.

    The thread that holds it may take it again under the same run: the file then names the inner step.

    Args:
        settings: names the lock file (``settings.lock_path``).
        run_id: the run that writes.
        step: what it is doing, one of ``oneledger.outcomes.STEPS`` or a word that says it.
        wait_seconds: how long to wait for another writer (tasks of Airflow do).
        say: told whom one waits for.

    Yields:
        The holder that the lock file names now.

    Raises:
        WriterBusyError: another process, or another part of this one, holds the lock.
    """
    with hold(
        settings.lock_path,
        lambda path, holder: WriterBusyError(WRITER.what, WRITER.rule, path, holder),
        run_id=run_id,
        step=step,
        wait_seconds=wait_seconds,
        say=say,
    ) as held:
        yield held.holder


def lock_holder(settings: Settings) -> LockHolder | None:
    """Who holds the lock now; None when nobody does. What a dead process wrote does not count."""
    return WRITER.holder(settings)
