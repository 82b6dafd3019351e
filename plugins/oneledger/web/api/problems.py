"""Questions that cannot be answered: each parameter with what was given and what is expected, in both languages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

_SHOWN = 120


@dataclass(frozen=True)
class BadParameter:
    """One parameter, what was given, and what would be right (中文。 English.)."""

    parameter: str
    given: str
    expected: str

    def to_json(self) -> dict[str, str]:
        return {"parameter": shown(self.parameter), "given": shown(self.given), "expected": self.expected}


class BadQuestionError(Exception):
    """At least one parameter cannot be used; the API answers 422."""

    def __init__(self, problems: Iterable[BadParameter]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{one.parameter}: {one.expected}" for one in self.problems))


def unknown(parameter: str, given: str, known: Iterable[str], what_zh: str, what_en: str) -> BadParameter:
    """A name that does not exist, with the names that do and the one that is spelt alike.

    Args:
        parameter: where the name was given.
        given: the name.
        what_zh: what kind of name it is, for instance 列.
        what_en: the same, for instance column.
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(given[:100], names, n=1, cutoff=0.6)
    meant_zh, meant_en = (f"是否为 {near[0]}？", f"Do you mean {near[0]}? ") if near else ("", "")
    return BadParameter(
        parameter,
        given,
        f"没有这个{what_zh}。{meant_zh} There is no such {what_en}. {meant_en}Known: {', '.join(names)}.",
    )


def shown(text: str) -> str:
    """What a visitor sent, short and without control characters."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:_SHOWN])
    return plain + ("…" if len(text) > _SHOWN else "")
