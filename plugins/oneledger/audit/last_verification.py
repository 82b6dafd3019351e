"""What the newest whole ``oneledger verify`` found, kept for pages that show it: ``verification/newest.json``.

It is a note and no proof: whoever doubts it runs ``oneledger verify`` again.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oneledger.settings import Settings

_FOLDER = "verification"
_FILE = "newest.json"


@dataclass(frozen=True)
class LastVerification:
    """The result of a verification of everything.

    Attributes:
        verified_at: UTC, ISO 8601.
        anchor: the newest anchor that it covered, None when nothing was sealed.
        broken_count, warnings_count: items that are not right.
    """

    verified_at: str
    ok: bool
    anchor: str | None
    files_count: int
    bytes_count: int
    seconds: float
    broken_count: int
    warnings_count: int


def keep_verification(settings: Settings, answer: Mapping[str, Any]) -> None:
    """Keep what ``verifying.verify`` of everything answered; nothing when the installation cannot be written."""
    items = answer["items"]
    found = LastVerification(
        verified_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        ok=bool(answer["ok"]),
        anchor=answer["anchor"],
        files_count=answer["files_count"],
        bytes_count=answer["bytes_count"],
        seconds=round(float(answer["seconds"]), 1),
        broken_count=sum(1 for one in items if not one["ok"]),
        warnings_count=sum(1 for one in items if one.get("is_warning")),
    )
    folder = settings.home / _FOLDER
    if not os.access(folder if folder.exists() else settings.home, os.W_OK):
        return
    folder.mkdir(exist_ok=True)
    handle, written = tempfile.mkstemp(dir=folder, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(found), file, ensure_ascii=False, indent=1)
    Path(written).replace(folder / _FILE)


def last_verification(settings: Settings) -> LastVerification | None:
    """The newest one; None when there was none, or the note cannot be read."""
    try:
        return LastVerification(**json.loads((settings.home / _FOLDER / _FILE).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return None
