"""Draws that depend on nothing but their key: the same record comes out whatever else is drawn.

A sequential random generator would change every later record when a day is added. Here each draw is a
hash of the seed and the key, so that a longer range of days only adds to a shorter one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_BITS = 64


@dataclass(frozen=True)
class Draw:
    """Keyed draws of one city. Keys are any values with a stable text form."""

    seed: int

    def unit(self, *key: object) -> float:
        """A number from 0 up to, not including, 1."""
        text = "\x1f".join([str(self.seed), *map(str, key)])
        digest = hashlib.blake2b(text.encode("utf-8"), digest_size=_BITS // 8).digest()
        return int.from_bytes(digest, "big") / float(1 << _BITS)

    def between(self, low: float, high: float, *key: object) -> float:
        return low + (high - low) * self.unit(*key)

    def whole(self, low: int, high: int, *key: object) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(self.unit(*key) * (high - low + 1))

    def chance(self, probability: float, *key: object) -> bool:
        return self.unit(*key) < probability

    def pick(self, choices: Sequence[T], *key: object) -> T:
        return choices[int(self.unit(*key) * len(choices))]

    def weighted(self, choices: Sequence[tuple[T, float]], *key: object) -> T:
        """One of ``(choice, weight)``; weights need not add up to 1."""
        left = self.unit(*key) * sum(weight for _, weight in choices)
        for choice, weight in choices:
            left -= weight
            if left < 0:
                return choice
        return choices[-1][0]

    def shuffled(self, items: Sequence[T], *key: object) -> list[T]:
        """The items in an order of their own."""
        ranked = sorted(range(len(items)), key=lambda number: self.unit(*key, number))
        return [items[number] for number in ranked]

    def day(self, first: dt.date, last: dt.date, *key: object) -> dt.date:
        """A day from ``first`` to ``last``, both included."""
        return first + dt.timedelta(days=self.whole(0, (last - first).days, *key))
