"""One process ingests a source at a time; the lock file names which one. Different sources do not wait."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator

from oneledger.outcomes import utc_now
from oneledger.settings import Settings


class SourceBusyError(Exception):
    """Another process ingests this source now."""

    def __init__(self, source_id: str, holder: str, lock_path: str) -> None:
        self.source_id = source_id
        self.holder = holder
        super().__init__(f"Source {source_id} is being ingested by {holder} (lock file {lock_path}).")

    remedy = "Wait until it has ended and start again, or end that process if it hangs."


@contextlib.contextmanager
def source_lock(settings: Settings, source_id: str, run_id: str) -> Iterator[None]:
    """Hold the source for writing to landing and raw; the operating system frees it when the process dies.

    Raises:
        SourceBusyError: another process, or another part of this one, holds it.
    """
    folder = settings.landing_dir / source_id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SourceBusyError(source_id, _holder(descriptor), str(path)) from error
        os.ftruncate(descriptor, 0)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "run_id": run_id,
                  "since": utc_now().isoformat(timespec="seconds")}  # fmt: skip
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 65536, 0))
        return f"run {holder['run_id']} (process {holder['pid']} on {holder['host']}) since {holder['since']}"
    except (json.JSONDecodeError, KeyError, TypeError):
        # Between taking the lock and writing the name the file is empty.
        return "a process that has not yet written its name"
