"""What a named fault is: what it spoils, where, and what the warehouse is to do about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

# What becomes of a delivery. `gate`: it is taken, and a check of a gate says so. `reconcile`: the published figures
# no longer come out. The others are decisions of the source catalogue.
Decision = Literal["accept", "warn", "quarantine", "refuse", "wait", "gate", "reconcile"]


@dataclass(frozen=True)
class Target:
    """What a fault works on: the city's folder, the day, the project library's URI."""

    city_dir: Path
    day: dt.date
    library: str


@dataclass(frozen=True)
class Expected:
    """What is to be seen.

    Attributes:
        decision: what becomes of the delivery.
        source, entity: where it shows.
        problem: the key of the decision in the source catalogue (``door_problems``); empty when a row rule or a
            check decides.
        rule: the row rule that holds rows back, or the check of a gate that speaks.
        rows_count: rows held back (``quarantine``) or superseded (``accept``); None when the fault does not fix it.
        says: words that the message names: file, line, column, value, expectation. ``{file}`` stands for the file,
            ``{day}`` for its day, ``{host}`` for nothing that is fixed.
        text: the same for people.
    """

    decision: Decision
    source: str
    entity: str
    text: str
    problem: str = ""
    rule: str = ""
    rows_count: int | None = None
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Breakage:
    """One fault.

    Attributes:
        problem: what is then wrong in the source.
        place: what it spoils; two faults of one place do not go together, except in files of different days.
        spoil: does it, and says what it changed.
        touches: the files that it changes, makes or removes; they are kept beside the city.
        is_of_day: it spoils the delivery of one day, of the files of ``place``.
        needs_history: it shows only once good data of the same place were loaded.
        needs_reference_city: it shows in figures that only the reference city gives.
    """

    kind: str
    title_zh: str
    title_en: str
    problem: str
    expected: Expected
    place: str
    spoil: Callable[[Target], str]
    touches: Callable[[Target], list[Path]] = field(default=lambda target: [])
    is_of_day: bool = False
    needs_history: bool = False
    needs_reference_city: bool = False

    @property
    def remedy(self) -> str:
        """How to mend the city."""
        return f"oneledger city mend {self.kind}"

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("kind", "title_zh", "title_en", "problem", "place", "remedy")},
            "expected": self.expected.text,
            "decision": self.expected.decision,
            "shows": {key: value for key, value in asdict(self.expected).items() if key not in ("text", "decision")},
        }
