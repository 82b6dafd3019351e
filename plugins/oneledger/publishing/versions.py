"""Published versions: which there are, which one is current, and how a name becomes a folder."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.settings import ConfigurationError, Settings

CURRENT = "current"
MANIFEST = "manifest.json"
MARTS_FILE = "marts.duckdb"
FACTS_DIR = "facts"
BATCHES_FILE = "batches.parquet"
# Lies in a version that is complete and that ``current`` has not been pointed at yet.
NOT_YET_CURRENT = ".not-yet-current"
PARTIAL_PREFIX = ".partial-"


@dataclass(frozen=True)
class PublishedVersion:
    """One published version.

    Attributes:
        version: its name, which sorts by time.
        path: its folder, never the ``current`` link.
        manifest: what ``manifest.json`` says: run_id, created_at, as_of_on, tables, facts, content_hash …
        is_unchanged: True when a publish found nothing new, so that this is the version from before.
    """

    version: str
    path: Path
    manifest: dict[str, Any]
    is_unchanged: bool = False

    @property
    def content_hash(self) -> str:
        """The hash of the data; equal for equal data whoever built it and when."""
        return str(self.manifest["content_hash"])

    @property
    def created_at(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.manifest["created_at"])

    @property
    def as_of_on(self) -> dt.date | None:
        text = self.manifest.get("as_of_on")
        return dt.date.fromisoformat(text) if text else None

    @property
    def marts_path(self) -> Path:
        return self.path / MARTS_FILE

    def fact_files(self, name: str) -> list[Path]:
        """The monthly Parquet files of a daily fact, oldest first."""
        return sorted((self.path / FACTS_DIR / name).glob("*.parquet"))

    def fact_names(self) -> list[str]:
        """The daily facts that have at least one month."""
        folder = self.path / FACTS_DIR
        return sorted({file.parent.name for file in folder.glob("*/*.parquet")})


def list_versions(settings: Settings) -> list[PublishedVersion]:
    """Every complete version, oldest first; half-made ones are none."""
    if not settings.published_dir.is_dir():
        return []
    return [
        read_version(folder)
        for folder in sorted(settings.published_dir.iterdir())
        if folder.is_dir() and not folder.is_symlink() and (folder / MANIFEST).is_file()
        and not folder.name.startswith(".")
    ]  # fmt: skip


def read_version(folder: Path) -> PublishedVersion:
    """The version in ``folder``.

    Raises:
        ConfigurationError: its manifest cannot be read.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigurationError(
            f"{path} is not a readable manifest ({error}). The version is damaged: remove its folder, and point "
            f"{folder.parent / CURRENT} at an older version; the next `oneledger run` publishes a new one."
        ) from error
    return PublishedVersion(folder.name, folder, manifest)


def current_version(settings: Settings) -> PublishedVersion | None:
    """The version that ``current`` points at; None before the first was published.

    Raises:
        ConfigurationError: the link points at nothing, or at something that is no version.
    """
    link = settings.published_dir / CURRENT
    if not link.is_symlink():
        return None
    folder = settings.published_dir / link.readlink()
    if not folder.is_dir():
        raise ConfigurationError(
            f"{link} points at {folder}, which does not exist. Publish again with `oneledger run`, or point it at "
            f"one of the versions in {settings.published_dir}."
        )
    return read_version(folder)


def resolve(settings: Settings, version: str = CURRENT) -> PublishedVersion:
    """The version of this name, ``current``, or the first letters of a name or content hash that fit one only.

    Raises:
        ConfigurationError: there is none, or the letters fit more than one.
    """
    if version == CURRENT:
        current = current_version(settings)
        if current is None:
            raise ConfigurationError(
                f"Nothing is published under {settings.published_dir} yet. Run `oneledger run` first, or set "
                "ONELEDGER_HOME to where it lies."
            )
        return current
    versions = list_versions(settings)
    found = [one for one in versions if one.version == version] or [
        one for one in versions if one.version.startswith(version) or one.content_hash.startswith(version)
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.version for one in versions[-10:]) or "none"
    what = "fits more than one version" if found else "is no published version"
    raise ConfigurationError(f"{version!r} {what}. The newest ones are: {known}.")
