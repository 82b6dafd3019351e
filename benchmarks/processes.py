"""Run a command and measure it: seconds, and the peak memory of it and all its children."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAMPLE_SECONDS = 0.05


class CommandFailedError(Exception):
    """A measured command ended with an exit code that is not 0; the message carries the end of its output."""


@dataclass(frozen=True)
class Measured:
    """Wall seconds and peak resident memory (MiB, with children) of one command."""

    seconds: float
    peak_mib: float


def oneledger(*arguments: str) -> list[str]:
    """The command line of this environment."""
    return [str(Path(sys.executable).with_name("oneledger")), *arguments]


def measure(
    command: list[str], environment: Mapping[str, str], *, folder: Path | None = None, most_bytes: int | None = None
) -> Measured:
    """Run ``command`` to its end.

    Args:
        folder: where it runs; here unless said.
        most_bytes: what it may allocate (``RLIMIT_DATA``); it fails beyond.

    Raises:
        CommandFailedError: it ended with another code than 0.
    """
    started = time.perf_counter()

    def limit() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))

    with subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        preexec_fn=limit,
    ) as process:
        peak = _PeakMemory(process.pid)
        output = process.communicate()[0]
        peak.stop()
    if process.returncode != 0:
        raise CommandFailedError(f"{' '.join(command)} ended with {process.returncode}:\n{output[-4000:]}")
    return Measured(time.perf_counter() - started, peak.mib)


class _PeakMemory:
    def __init__(self, pid: int) -> None:
        self.mib = 0.0
        self._pid = pid
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(_SAMPLE_SECONDS):
            try:
                family = [root := psutil.Process(self._pid), *root.children(recursive=True)]
                resident = sum(process.memory_info().rss for process in family)
            except psutil.NoSuchProcess:
                continue  # a child ended between listing and asking; the next sample counts
            self.mib = max(self.mib, resident / 1024**2)
