"""What a version is made of, as its manifest lists it: tables of the marts file, and daily facts month by month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from oneledger.publishing.content import RUN_TABLES
from oneledger.publishing.versions import FACTS_DIR, PublishedVersion


@dataclass(frozen=True)
class Part:
    """One table, or one daily fact.

    Attributes:
        relation: ``schema.name``; a daily fact is in schema ``marts``.
        hashes: content hash and rows by month (``yyyy-mm``); a table has one, under the empty month.
        folder: where a fact's files lie; None for a table.
    """

    relation: str
    hashes: Mapping[str, tuple[str, int]]
    folder: Path | None = None

    @property
    def is_fact(self) -> bool:
        return self.folder is not None

    @property
    def months(self) -> tuple[str, ...]:
        return tuple(sorted(month for month in self.hashes if month))

    @property
    def files(self) -> list[Path]:
        return [self.folder / f"{month}.parquet" for month in self.months] if self.folder else []

    @property
    def rows_count(self) -> int:
        return sum(rows for _, rows in self.hashes.values())

    def without_months_of(self, other: Part) -> Part:
        """Only the months whose content is not the same in ``other``."""
        return replace(
            self, hashes={month: one for month, one in self.hashes.items() if other.hashes.get(month) != one}
        )


def parts_of(version: PublishedVersion) -> dict[str, Part]:
    """The parts of a version that its content hash counts, by relation."""
    found = {
        one["name"]: Part(one["name"], {"": (one["content_hash"], one["rows_count"])})
        for one in version.manifest["tables"]
        if one["name"] not in RUN_TABLES
    }
    months: dict[str, dict[str, tuple[str, int]]] = {}
    for one in version.manifest["facts"]:
        months.setdefault(one["fact"], {})[one["month"]] = (one["content_hash"], one["rows_count"])
    for fact, hashes in months.items():
        found[f"marts.{fact}"] = Part(f"marts.{fact}", hashes, version.path / FACTS_DIR / fact)
    return found
