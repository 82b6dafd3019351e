"""``parts.json`` of a version: by table and month, and by file of a daily fact, what the next version need not read.

A publication compares the warehouse with these numbers, writes what differs and takes the rest over. The numbers are
sealed with the version like every other file; a version whose file is not what was sealed is taken for unknown.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from oneledger.publishing.content import Digest
from oneledger.publishing.versions import PublishedVersion

PARTS_FILE = "parts.json"


@dataclass(frozen=True)
class TablePart:
    """A month of a table (``all`` of a table without one): equal fingerprints are equal rows."""

    fingerprint: str
    digest: Digest


@dataclass(frozen=True)
class FactPart:
    """A file of a daily fact: its digest, and the first days (ISO) of the runs of days in which its rows are sorted."""

    digest: Digest
    runs: tuple[str, ...]


@dataclass
class Parts:
    """All of one version.

    Attributes:
        columns: by table, a hash of its columns and their types.
        tables: by table and month.
        facts: by daily fact and month.
    """

    columns: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, TablePart]] = field(default_factory=dict)
    facts: dict[str, dict[str, FactPart]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        (folder / PARTS_FILE).write_text(json.dumps(asdict(self), ensure_ascii=False) + "\n", encoding="utf-8")


def read_parts(version: PublishedVersion) -> Parts:
    """The parts of a version; none of one that was published before versions kept them."""
    path = version.path / PARTS_FILE
    if not path.is_file():
        return Parts()
    content = json.loads(path.read_text(encoding="utf-8"))
    return Parts(
        content["columns"],
        {
            table: {part: TablePart(one["fingerprint"], Digest(**one["digest"])) for part, one in parts.items()}
            for table, parts in content["tables"].items()
        },
        {
            fact: {month: FactPart(Digest(**one["digest"]), tuple(one["runs"])) for month, one in months.items()}
            for fact, months in content["facts"].items()
        },
    )
