"""What the processes of a build took of the machine: memory at most, and seconds of its cores."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

_SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Used:
    """What some processes and all their children took.

    Attributes:
        peak_mib: the most resident memory that they held together. Pages that processes share count once for each.
        cpu_seconds: seconds of cores, which other work on the machine changes far less than the time that passes.
            What a process does after the last look at it is not in it.
    """

    peak_mib: float
    cpu_seconds: float


class UsageWatch:
    """Looks four times a second at processes and their children."""

    def __init__(self) -> None:
        self._peak_bytes = 0
        self._cpu_seconds: dict[int, float] = {}

    @property
    def used(self) -> Used:
        return Used(self._peak_bytes / 1024**2, sum(self._cpu_seconds.values()))

    @contextlib.contextmanager
    def watching(self, *process_ids: int) -> Iterator[None]:
        """Look at these processes as long as the block runs, once at least."""
        stopping = threading.Event()
        watch = threading.Thread(target=self._watch, args=(process_ids, stopping), daemon=True)
        watch.start()
        try:
            yield
        finally:
            stopping.set()
            watch.join()

    def _watch(self, process_ids: tuple[int, ...], stopping: threading.Event) -> None:
        while True:
            self._peak_bytes = max(self._peak_bytes, sum(map(self._look_at, process_ids)))
            if stopping.wait(_SAMPLE_SECONDS):
                return

    def _look_at(self, process_id: int) -> int:
        resident = 0
        # One that ended between listing and asking holds nothing any more.
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(process_id)
            for process in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    self._cpu_seconds[process.pid] = times.user + times.system
                    resident += process.memory_info().rss
        return resident
