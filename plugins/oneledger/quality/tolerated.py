"""Failures that somebody decided to live with: each pinned to a number, with date, cause, owner and an end."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from oneledger.quality.checks import CheckResult
from oneledger.settings import ConfigurationError

_KEYS = {"check_id", "entity", "count", "date", "cause", "owner", "until"}


@dataclass(frozen=True)
class Toleration:
    """``count`` is how many things fail; one more or one less and the failure counts again."""

    check_id: str
    entity: str | None
    count: int
    date: dt.date
    cause: str
    owner: str
    until: dt.date


def load_tolerations(path: Path) -> list[Toleration]:
    """Read ``expectations/tolerated.yml``; no file means that nothing is tolerated.

    Raises:
        ConfigurationError: an entry lacks a number, a cause, an owner or an end.
    """
    if not path.exists():
        return []
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}. Correct it there.") from error
    return [_toleration(entry, number, path) for number, entry in enumerate(content.get("tolerated") or [], start=1)]


def apply_tolerations(results: list[CheckResult], tolerations: list[Toleration], today: dt.date) -> list[CheckResult]:
    """Mark the failures that are tolerated today at exactly their number; say of the others why not."""
    named = {(one.check_id, one.entity): one for one in tolerations}
    return [_judged(result, named.get((result.check_id, result.entity)), today) for result in results]


def _judged(result: CheckResult, toleration: Toleration | None, today: dt.date) -> CheckResult:
    if toleration is None or result.is_passed:
        return result
    pinned = f"{toleration.count} tolerated since {toleration.date} until {toleration.until} ({toleration.cause})"
    if today > toleration.until:
        return replace(result, expected=f"{result.expected}; {pinned}, which has ended")
    if result.unexpected_count != toleration.count:
        return replace(result, expected=f"{result.expected}; {pinned}, now {result.unexpected_count}")
    return replace(result, tolerated=f"{pinned}, owner {toleration.owner}", expected=f"{result.expected}; {pinned}")


def _toleration(entry: Any, number: int, path: Path) -> Toleration:
    if not isinstance(entry, dict) or set(entry) - {"entity"} != _KEYS - {"entity"}:
        raise ConfigurationError(
            f"{path}, entry {number}: {entry!r} must have exactly {', '.join(sorted(_KEYS))} (entity may be left out)."
        )
    made = Toleration(**{"entity": None, **entry})
    if not isinstance(made.count, int) or not all(isinstance(day, dt.date) for day in (made.date, made.until)):
        raise ConfigurationError(
            f"{path}, entry {number} ({made.check_id}): count must be a whole number, date and until yyyy-mm-dd."
        )
    return made
