"""Progress for people: one line a step with its seconds; on a terminal the line under way moves."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUIET_SECONDS = 15


class Progress:
    """Writes to standard output. Without a terminal, a waiting step writes a line every 15 seconds at most."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self._is_open = False

    def say(self, text: str = "") -> None:
        self._clear()
        print(text, flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time a step; call what it yields with what is being waited for."""
        started = time.monotonic()
        try:
            with self.waiting(name) as note:
                yield note
        except BaseException:
            self.say(f"  ✗ {name} ({time.monotonic() - started:.1f} s)")
            raise
        self.say(f"  ✓ {name} ({time.monotonic() - started:.1f} s)")

    @contextmanager
    def waiting(self, name: str) -> Iterator[Callable[[str], None]]:
        """Yields what shows, with the seconds so far, what is being waited for; says nothing at the end."""
        started = last = time.monotonic()

        def note(what: str) -> None:
            nonlocal last
            line = f"  … {name}: {what} ({time.monotonic() - started:.0f} s)"
            if self.is_terminal:
                self._clear()
                print(line[:118], end="", flush=True)
                self._is_open = True
            elif time.monotonic() - last >= QUIET_SECONDS:
                last = time.monotonic()
                print(line, flush=True)

        try:
            yield note
        finally:
            self._clear()

    def _clear(self) -> None:
        if self._is_open:
            print("\r\033[K", end="")
            self._is_open = False
