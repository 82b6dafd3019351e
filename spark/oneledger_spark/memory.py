"""How much memory the processes of a build held at most."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import psutil

_SAMPLE_SECONDS = 0.25


class PeakMemory:
    """The most resident memory that some processes and all their children held together, in MiB.

    Pages that processes share count once for each of them.
    """

    def __init__(self) -> None:
        self.mib = 0.0

    @contextlib.contextmanager
    def watching(self, *process_ids: int) -> Iterator[None]:
        """Look four times a second at these processes as long as the block runs, once at least."""
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
            self.mib = max(self.mib, sum(map(_resident_of_family, process_ids)) / 1024**2)
            if stopping.wait(_SAMPLE_SECONDS):
                return


def _resident_of_family(process_id: int) -> int:
    resident = 0
    # One that ended between listing and asking holds nothing any more.
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(process_id)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                resident += process.memory_info().rss
    return resident
