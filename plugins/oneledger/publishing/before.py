"""The version before, as far as the next one may be built on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oneledger.publishing.parts import PARTS_FILE, Parts, read_parts
from oneledger.publishing.versions import MARTS_FILE, PublishedVersion


@dataclass(frozen=True)
class Before:
    """What the version before holds, and which of its files are still what was sealed.

    Attributes:
        version: it.
        parts: its parts; none when its file of parts is not what was sealed.
        is_alike: it was made by the same models and the same DuckDB, so that equal rows are equal tables.
        is_as_sealed: whether a file of it (its path from the version's folder) is what was sealed. What was changed
            since is not taken over: it would be sealed anew as if it were ours.
    """

    version: PublishedVersion
    parts: Parts
    is_alike: bool
    is_as_sealed: Callable[[str], bool]

    def marts_to_build_on(self) -> Path | None:
        """The marts file when tables of it can be taken over."""
        if self.is_alike and self.parts.tables and self.is_as_sealed(MARTS_FILE):
            return self.version.marts_path
        return None

    def fact_to_build_on(self, name: str) -> Path | None:
        """A file of a daily fact when days of it can be taken over."""
        return self.version.path / name if self.is_as_sealed(name) else None


def look_at(version: PublishedVersion, *, models_hash: str, is_as_sealed: Callable[[str], bool]) -> Before:
    """The version that is published now, as the ground of the next one."""
    return Before(
        version,
        read_parts(version) if is_as_sealed(PARTS_FILE) else Parts(),
        version.manifest.get("models_hash") == models_hash
        and version.manifest.get("duckdb_version") == duckdb.__version__,
        is_as_sealed,
    )
