"""The rule of retention: ``config/retention.yml``, dated like every rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oneledger.settings import CITY_TIMEZONE, ConfigurationError, Settings

RETENTION_FILE = Path("config") / "retention.yml"
_Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VersionRule(_Strict):
    """Every version for so many days, then the last of each month for so many months."""

    every_one_for_days: _Count
    last_of_month_for_months: _Count


class DaysRule(_Strict):
    """Kept for so many days."""

    for_days: _Count


class MonthsRule(_Strict):
    """Kept for so many months after the one in which it was written."""

    for_months: _Count


class RetentionRule(_Strict):
    """One dated rule; ``source`` says whose it is."""

    effective_from: dt.date
    source: str
    versions: VersionRule
    evaluation_drafts: DaysRule
    outcomes: MonthsRule
    scratch: DaysRule
    logs: DaysRule
    reports: DaysRule

    def about(self, what: str) -> str:
        """What a removal says of the rule: ``versions: … (retention.yml from 2022-01-01, OneLedger default)``."""
        content = getattr(self, what).model_dump()
        told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in content.items())
        return f"{what}: {told} ({RETENTION_FILE.name} from {self.effective_from}, {self.source})"


def load_rule(settings: Settings, on: dt.date) -> RetentionRule:
    """The rule in force on a day.

    Raises:
        ConfigurationError: the file is missing or wrong, or has no rule for that day.
    """
    path = settings.project_root / RETENTION_FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read ({error}). Without a rule nothing is removed.") from error
    entries = content.get("rules") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{path} has no list `rules`. See docs/time.md for its form.")
    rules = []
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, dict) and "landing" in entry:
            raise ConfigurationError(
                f"{path}, rule {number}: landing has no retention. It is the record from which everything else can be "
                "made again; take the key out."
            )
        try:
            rules.append(RetentionRule.model_validate(entry))
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise ConfigurationError(f"{path}, rule {number}: {told}. See docs/time.md for its form.") from error
    in_force = [one for one in rules if one.effective_from <= on]
    if not in_force:
        raise ConfigurationError(f"{path} has no rule in force on {on}. Add one with an effective_from not after it.")
    return max(in_force, key=lambda one: one.effective_from)


def kept_by_rule(versions: Sequence[tuple[str, dt.datetime]], rule: VersionRule, now: dt.datetime) -> dict[str, str]:
    """Which versions the rule keeps, and why.

    Args:
        versions: name and instant (with time zone) at which each was made.
        now: the instant of the decision, with time zone.
    """
    kept = {}
    last_of_month: dict[tuple[int, int], tuple[dt.datetime, str]] = {}
    today = now.astimezone(CITY_TIMEZONE)
    for name, made_at in versions:
        made = made_at.astimezone(CITY_TIMEZONE)
        if (today.date() - made.date()).days <= rule.every_one_for_days:
            kept[name] = f"made in the last {rule.every_one_for_days} days"
        of = (made.year, made.month)
        last_of_month[of] = max(last_of_month.get(of, (made, name)), (made, name))
    for (year, month), (_, name) in last_of_month.items():
        age = (today.year - year) * 12 + today.month - month
        if age <= rule.last_of_month_for_months:
            kept.setdefault(name, f"the last of {year}-{month:02d}, kept for {rule.last_of_month_for_months} months")
    return kept
