"""The words of the domain in Chinese and English: ``words.csv``."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("words.csv")


@dataclass(frozen=True)
class Word:
    """One word.

    Attributes:
        id: as code and columns write it.
        seen_in: the published table that shows it best; empty for none.
    """

    id: str
    zh: str
    en: str
    meaning_zh: str
    meaning_en: str
    seen_in: str


@functools.cache
def words() -> tuple[Word, ...]:
    """All words, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(Word(**row) for row in csv.DictReader(file))
