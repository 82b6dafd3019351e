"""A progress line on standard error: what is being written, how far, rows a second."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class WorkProgress:
    """Shows steps one after the other; on no terminal each step is said in one line when it ends."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=is_quiet)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(), console=self._console, disable=not sys.stderr.isatty() or is_quiet, transient=True,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._name, self._rows, self._started = "", 0, 0.0

    def __enter__(self) -> WorkProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end_step()
        self._bar.stop()

    def begin(self, name: str, total: int) -> None:
        """Start a step with ``total`` parts; ends the one before."""
        self._end_step()
        self._name, self._rows, self._started = name, 0, time.monotonic()
        self._task = self._bar.add_task(name, total=total, rate="")

    def advance(self, parts: int, rows: int) -> None:
        self._rows += rows
        if self._task is not None:
            self._bar.update(self._task, advance=parts, rate=f"{self._rows / self._seconds():,.0f} rows/s")

    def _end_step(self) -> None:
        if self._task is None:
            return
        seconds = self._seconds()
        self._console.print(f"  {self._name}: {self._rows:,} rows, {seconds:.1f} s, {self._rows / seconds:,.0f} rows/s")
        self._bar.remove_task(self._task)
        self._task = None

    def _seconds(self) -> float:
        return max(time.monotonic() - self._started, 0.001)
