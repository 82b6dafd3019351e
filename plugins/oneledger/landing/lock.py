"""One process ingests a source at a time; the lock file names which one. Different sources do not wait."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from oneledger.locks import BusyError, LockHolder
from oneledger.locks.holding import hold
from oneledger.locks.register import SOURCE
from oneledger.settings import Settings


class SourceBusyError(BusyError):
    """Another process ingests this source now."""

    def __init__(self, source_id: str, path: Path, holder: LockHolder | None) -> None:
        self.source_id = source_id
        super().__init__(SOURCE.what.format(part=source_id), SOURCE.rule, path, holder)


@contextlib.contextmanager
def source_lock(settings: Settings, source_id: str, run_id: str, step: str = "extract") -> Iterator[None]:
    """Hold the source for writing to landing and raw; the operating system frees it when the process dies.

    The thread that holds it may take it again under the same run.

    Raises:
        SourceBusyError: another process, or another part of this one, holds it.
    """
    with hold(
        SOURCE.path(settings, source_id),
        lambda path, holder: SourceBusyError(source_id, path, holder),
        run_id=run_id,
        step=step,
    ):
        yield
