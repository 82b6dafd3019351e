"""How long work goes on: from what of it is done, or from how long it took the last time."""

from __future__ import annotations

import time
from collections.abc import Callable

# Less than this says nothing yet about how fast the rest goes.
_LEAST_SECONDS = 1.0


class TimeLeft:
    """Seconds left of work whose amount is known, at the speed so far."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()

    def after(self, done: float, of: float | None) -> float | None:
        """Seconds left when ``done`` of ``of`` is done; None while that cannot be said."""
        elapsed = self._clock() - self._begun
        if not of or done <= 0 or elapsed < _LEAST_SECONDS:
            return None
        return max(0.0, elapsed * (of - done) / done)

    def words(self, done: float, of: float | None) -> str:
        """The same as the end of a sentence: ``, about 40 s left``; empty while that cannot be said."""
        left = self.after(done, of)
        return "" if left is None else f", {about(left)} left"


def about(seconds: float) -> str:
    """A duration as a person says it: ``about 40 s``, ``about 3 min``, ``about 2 h 10 min``."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    hours, minutes = divmod(round(minutes, -1), 60)
    return f"about {hours} h {minutes} min" if minutes else f"about {hours} h"
