"""Pinned versions: a person says that a version stays, whatever the rule of retention says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from oneledger.locks.register import DECISION
from oneledger.outcomes import utc_now
from oneledger.publishing.build import sync
from oneledger.publishing.versions import resolve
from oneledger.settings import ConfigurationError, Settings

PINS_DIR = ".pins"


@dataclass(frozen=True)
class Pin:
    """Who keeps which version, why, and since when (UTC, ISO 8601)."""

    version: str
    name: str
    reason: str
    pinned_at: str


def pin(settings: Settings, version: str, *, name: str, reason: str) -> Pin:
    """Keep a version.

    Raises:
        ConfigurationError: there is no such version, or name or reason is empty.
        BusyError: retention is removing versions, and did not end while this one waited.
    """
    must_be_given(name, reason)
    with DECISION.held(settings, run_id=f"pin {version}", step="pin"):
        found = resolve(settings, version)
        made = Pin(found.version, name.strip(), reason.strip(), utc_now().isoformat(timespec="seconds"))
        write_whole(_folder(settings) / f"{made.version}.json", asdict(made))
    return made


def unpin(settings: Settings, version: str) -> Pin:
    """Leave a pinned version to the rule again.

    Raises:
        ConfigurationError: it is not pinned.
    """
    found = [one for one in pins(settings) if one.version.startswith(version)]
    if len(found) != 1:
        known = ", ".join(one.version for one in pins(settings)) or "none"
        raise ConfigurationError(f"{version!r} is not the start of one pinned version. Pinned are: {known}.")
    (_folder(settings) / f"{found[0].version}.json").unlink()
    return found[0]


def pins(settings: Settings) -> list[Pin]:
    """The pinned versions, by name."""
    return [
        Pin(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(_folder(settings).glob("[!.]*.json"))
    ]


def must_be_given(name: str, reason: str) -> None:
    """Refuse an empty name or reason.

    Raises:
        ConfigurationError: one is empty.
    """
    for what, text in (("--name", name), ("--reason", reason)):
        if not text.strip():
            raise ConfigurationError(f"{what} is empty. A decision is kept with the person's name and the reason.")


def write_whole(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all, and bring it to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")
    sync(partial)
    partial.rename(path)
    sync(path.parent)


def _folder(settings: Settings) -> Path:
    return settings.published_dir / PINS_DIR
