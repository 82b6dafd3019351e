"""What was sent and is still open: one small file, so that nobody is told the same thing every night."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from oneledger.locks.register import NOTICES
from oneledger.settings import Settings

KEPT_LINES = 1_000


@dataclass
class OpenNotice:
    """A cause that people were told of. ``channels`` maps each channel to the fingerprint that it carried last."""

    cause_id: str
    title: str
    first_sent_at: str
    last_sent_at: str
    channels: dict[str, str] = field(default_factory=dict)


@contextmanager
def open_state(settings: Settings) -> Iterator[dict[str, OpenNotice]]:
    """The open notices, by cause; written back at the end, also when something was raised within.

    One process at a time: tasks of two DAGs that fail together do not tell the same cause twice.
    """
    folder = settings.notices_dir
    with NOTICES.held(settings, run_id="notices", step="send"):
        state = read_state(settings)
        try:
            yield state
        finally:
            partial = folder / ".open.partial"
            partial.write_text(
                json.dumps([asdict(one) for one in state.values()], ensure_ascii=False, indent=1), encoding="utf-8"
            )
            partial.replace(_path(settings))


def read_state(settings: Settings) -> dict[str, OpenNotice]:
    """The open notices, by cause."""
    path = _path(settings)
    if not path.exists():
        return {}
    return {one["cause_id"]: OpenNotice(**one) for one in json.loads(path.read_text(encoding="utf-8"))}


def note_sent(settings: Settings, entries: list[dict[str, Any]]) -> None:
    """Append to ``notices/sent.jsonl``, which keeps its newest thousand lines."""
    if not entries:
        return
    path = settings.notices_dir / "sent.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines += [json.dumps(entry, ensure_ascii=False) for entry in entries]
    partial = path.with_name(".sent.partial")
    partial.write_text("\n".join(lines[-KEPT_LINES:]) + "\n", encoding="utf-8")
    partial.replace(path)


def read_sent(settings: Settings, limit: int) -> list[dict[str, Any]]:
    """What was sent, the newest first."""
    path = settings.notices_dir / "sent.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in reversed(path.read_text(encoding="utf-8").splitlines()[-limit:])]


def age_days(instant: str, now: dt.datetime) -> float:
    return (now - dt.datetime.fromisoformat(instant)).total_seconds() / 86_400


def _path(settings: Settings) -> Path:
    return settings.notices_dir / "open.json"
