"""Carry out a plan of retention: with a person's name and reason, recorded, and harmless to kill at any instant.

A version's manifest is kept first (``published/.removed/<version>.json``), then its folder is renamed away, then it is
deleted. Killed between, the version is whole, or it is gone and what is left of it is removed by the next start
(``.partial-*`` folders are worthless to everybody).
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.audit.pins import must_be_given, write_whole
from oneledger.audit.retention import Plan, Removal, plan_retention
from oneledger.audit.seals import seal_before_removal, seal_file
from oneledger.locks.register import DECISION
from oneledger.outcomes import new_run_id, utc_now
from oneledger.publishing.build import sync
from oneledger.publishing.facts import file_sha256
from oneledger.publishing.holds import nobody_reading
from oneledger.publishing.versions import MANIFEST, PARTIAL_PREFIX, REMOVED_DIR, read_version
from oneledger.settings import Settings
from oneledger.warehouse.lock import writer_lock

RECORDS_DIR = "retention"
_GOING = f"{PARTIAL_PREFIX}removing-"
# Told before a version, draft … is removed: kind and subject of the removal, name and reason of who removes it.
BeforeRemoval = Callable[[Settings, Removal, str, str], None]


@dataclass(frozen=True)
class Applied:
    """What was done.

    Attributes:
        record: the file that keeps who removed what, when and why; None when there was nothing to remove.
        removed: what went.
        held: versions that somebody was reading: they stay until the next time.
    """

    plan: Plan
    record: Path | None
    removed: tuple[Removal, ...]
    held: tuple[Removal, ...]


def apply_retention(
    settings: Settings,
    *,
    name: str,
    reason: str,
    now: dt.datetime | None = None,
    before_removal: Iterable[BeforeRemoval] = (seal_before_removal,),
) -> Applied:
    """Plan again under the writer's lock, and remove what the plan names.

    Args:
        before_removal: told of each removal before it is made; by default the ledger of seals notes it.

    Raises:
        BusyError: the nightly is writing, or a decision is being sealed; nothing was removed.
        ConfigurationError: name or reason is empty, or the plan cannot be made.
    """
    must_be_given(name, reason)
    run_id = new_run_id()
    with (
        writer_lock(settings, run_id=run_id, step="retention"),
        # No draft is confirmed and no version pinned between the plan and its removal.
        DECISION.held(settings, run_id=run_id, step="retention"),
    ):
        _finish_earlier(settings)
        plan = plan_retention(settings, now=now)
        if not plan.removals:
            return Applied(plan, None, (), ())
        applied_at = utc_now()
        record = settings.home / RECORDS_DIR / f"{applied_at:%Y-%m}" / f"{applied_at:%Y%m%dT%H%M%S%f}.json"
        content: dict[str, Any] = {
            "applied_at": applied_at.isoformat(timespec="milliseconds"), "name": name.strip(), "reason": reason.strip(),
            "rule": plan.rule.model_dump(mode="json"), "planned": [_as_json(one) for one in plan.removals],
            "kept": plan.kept, "held": None, "ended_at": None,
        }  # fmt: skip
        # Before anything goes: killed at any instant, it is on disk who removed what.
        write_whole(record, content)
        who = _Who(settings, name.strip(), reason.strip(), tuple(before_removal))
        removed: list[Removal] = []
        held: list[Removal] = []
        for one in plan.removals:
            is_gone = who.remove_version(one) if one.kind == "version" else who.remove(one)
            (removed if is_gone else held).append(one)
        write_whole(
            record,
            content | {"held": [one.subject for one in held], "ended_at": utc_now().isoformat(timespec="milliseconds")},
        )
    seal_file(settings, record)
    return Applied(plan, record, tuple(removed), tuple(held))


@dataclass(frozen=True)
class _Who:
    """Who removes, why, and who is told before each removal."""

    settings: Settings
    name: str
    reason: str
    before_removal: tuple[BeforeRemoval, ...]

    def remove(self, removal: Removal) -> bool:
        """Remove files or a folder."""
        self._tell(removal)
        for path in removal.paths:
            if path.is_dir() and not path.is_symlink():
                _rename_away_and_delete(path)
            else:
                path.unlink(missing_ok=True)
        return True

    def remove_version(self, removal: Removal) -> bool:
        """Remove one version unless somebody reads it; its manifest is kept."""
        folder = removal.paths[0]
        version = read_version(folder)
        with nobody_reading(version) as is_free:
            if not is_free:
                return False
            self._tell(removal)
            write_whole(
                self.settings.published_dir / REMOVED_DIR / f"{version.version}.json",
                {
                    "version": version.version,
                    "removed_at": utc_now().isoformat(timespec="milliseconds"),
                    "removed_by": self.name,
                    "reason": self.reason,
                    "rule": removal.rule,
                    "manifest_sha256": file_sha256(folder / MANIFEST),
                    "manifest": version.manifest,
                },
            )
            _rename_away_and_delete(folder)
        return True

    def _tell(self, removal: Removal) -> None:
        for told in self.before_removal:
            told(self.settings, removal, self.name, self.reason)


def _rename_away_and_delete(folder: Path) -> None:
    going = folder.with_name(f"{_GOING}{folder.name}")
    folder.rename(going)
    sync(folder.parent)
    shutil.rmtree(going)


def _finish_earlier(settings: Settings) -> None:
    """Delete what a killed removal had renamed away."""
    for folder in (settings.published_dir, settings.evaluations_dir, settings.scratch_dir):
        for path in folder.glob(f"{_GOING}*"):
            shutil.rmtree(path)


def _as_json(removal: Removal) -> dict[str, Any]:
    paths = [str(path) for path in removal.paths[:1]]
    return {
        "kind": removal.kind, "subject": removal.subject, "paths_count": len(removal.paths), "first_path": paths,
        "freed_bytes": removal.freed_bytes, "rule": removal.rule,
    }  # fmt: skip
