"""Published versions: which there are, which one is current, and how a name becomes a folder."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.settings import CITY_TIMEZONE, ConfigurationError, Settings

CURRENT = "current"
MANIFEST = "manifest.json"
MARTS_FILE = "marts.duckdb"
FACTS_DIR = "facts"
BATCHES_FILE = "batches.parquet"
# Lies in a version that is complete and that ``current`` has not been pointed at yet.
NOT_YET_CURRENT = ".not-yet-current"
PARTIAL_PREFIX = ".partial-"
# What is known of versions that retention removed: their manifests, and who removed them by which rule.
REMOVED_DIR = ".removed"


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


def resolve(settings: Settings, version: str = CURRENT, *, as_of: dt.date | None = None) -> PublishedVersion:
    """The version of this name, ``current``, or the first letters of a name or content hash that fit one only.

    Args:
        as_of: instead of a name, a day: the version that was current when it ended in the city's time zone.

    Raises:
        ConfigurationError: there is none, the letters fit more than one, retention removed it, or both a name and a
            day are given.
    """
    if as_of is not None:
        if version != CURRENT:
            raise ConfigurationError(
                f"--version {version} and --as-of {as_of} are two answers to one question. Give one of them."
            )
        return version_as_of(settings, as_of)
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
    if not found:
        removed = [one for one in removed_versions(settings) if one["version"].startswith(version)]
        if len(removed) == 1:
            what = _told_removed(removed[0])
    raise ConfigurationError(f"{version!r} {what}. The newest ones are: {known}.")


def version_as_of(settings: Settings, day: dt.date) -> PublishedVersion:
    """The version that was current at the end of a day of the city's time zone.

    A version is current from the moment at which it was made until the next one is.

    Raises:
        ConfigurationError: nothing was published by then, or that version was removed.
    """
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), CITY_TIMEZONE)
    versions = [one for one in list_versions(settings) if not (one.path / NOT_YET_CURRENT).exists()]
    kept = [one for one in versions if one.created_at < end]
    gone = [one for one in removed_versions(settings) if _created_at(one) < end]
    if gone and (not kept or gone[-1]["version"] > kept[-1].version):
        raise ConfigurationError(
            f"The version that was current at the end of {day} is {gone[-1]['version']}: it {_told_removed(gone[-1])}. "
            "Its manifest is kept; `oneledger versions show` prints it."
        )
    if kept:
        return kept[-1]
    first = versions[0] if versions else None
    since = (
        f"The first version is {first.version}, made on {first.created_at.astimezone(CITY_TIMEZONE):%Y-%m-%d at %H:%M} "
        "in the city."
        if first
        else "Run `oneledger run` to publish one."
    )
    raise ConfigurationError(f"Nothing was published by the end of {day}. {since}")


def describe(settings: Settings, version: str = CURRENT, *, as_of: dt.date | None = None) -> dict[str, Any]:
    """A version's ``version``, ``path``, ``manifest``, and ``removed`` (None while it is kept).

    Raises:
        ConfigurationError: there is and was no such version.
    """
    try:
        found = resolve(settings, version, as_of=as_of)
    except ConfigurationError:
        gone = [one for one in removed_versions(settings) if as_of is None and one["version"].startswith(version)]
        if len(gone) != 1:
            raise
        about = {key: value for key, value in gone[0].items() if key != "manifest"}
        return {"version": gone[0]["version"], "path": None, "manifest": gone[0]["manifest"], "removed": about}
    return {"version": found.version, "path": found.path, "manifest": found.manifest, "removed": None}


def removed_versions(settings: Settings) -> list[dict[str, Any]]:
    """What is known of the versions that retention removed, oldest first: ``version``, ``removed_at``,
    ``removed_by``, ``reason``, ``rule``, ``manifest`` and ``manifest_sha256``.

    A record whose version is still there is left out: retention was interrupted before it came to it.
    """
    folder = settings.published_dir / REMOVED_DIR
    if not folder.is_dir():
        return []
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
        if not (settings.published_dir / path.stem / MANIFEST).is_file()
    ]


def _created_at(removed: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(removed["manifest"]["created_at"])


def _told_removed(removed: dict[str, Any]) -> str:
    return (
        f"was removed on {removed['removed_at'][:10]} by {removed['removed_by']} ({removed['reason']}; "
        f"rule: {removed['rule']})"
    )
