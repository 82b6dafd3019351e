"""How often a client may ask: a bucket that fills at a steady rate."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class Allowance:
    """A token bucket for each client.

    Args:
        rate: requests a second in the long run; 0 means without limit.
        burst: requests at once.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst = rate, burst
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def wait_seconds(self, client: str) -> int:
        """0 when the client may ask now (and then has asked); otherwise whole seconds to wait."""
        if self.rate <= 0:
            return 0
        with self._lock:
            now = self._clock()
            left, seen = self._left.get(client, (float(self.burst), now))
            left = min(float(self.burst), left + (now - seen) * self.rate)
            if left >= 1:
                self._left[client] = (left - 1, now)
                return 0
            self._left[client] = (left, now)
            return max(1, math.ceil((1 - left) / self.rate))
