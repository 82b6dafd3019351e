"""How the last run ended, from its outcome records: a failed night shows although it published nothing."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneledger.pipeline.runs import newest_run
from oneledger.settings import Settings
from oneledger.warehouse.lock import LockHolder, lock_holder

# What each verdict is called, and how it looks (a state of components.html).
_WORDS = {
    "good": ("正常完成", "ended well", "good"),
    "good_with_warnings": ("完成，有提醒", "ended with warnings", "warning"),
    "published_with_parts_withheld": ("已发布，部分数据缺席", "published, parts are withheld", "warning"),
    "not_published": ("未发布", "nothing was published", "failed"),
}


@dataclass(frozen=True)
class LastNight:
    """The last whole run, and who writes now.

    Attributes:
        run: as ``list_runs`` shows it; None before the first run.
        writer: the run that holds the warehouse now; None when nobody writes.
    """

    run: dict[str, Any] | None
    writer: LockHolder | None

    @property
    def is_running(self) -> bool:
        """Whether the run itself is still writing: it has no verdict yet."""
        return bool(self.run and self.writer and self.writer.run_id == self.run["run_id"])

    @property
    def words(self) -> tuple[str, str, str]:
        """The verdict in Chinese, in English, and the state that it is shown as."""
        if self.run is None:
            return ("尚无运行", "no run yet", "missing")
        if self.is_running:
            return ("正在运行", "running now", "plain")
        return _WORDS[self.run["verdict"]]

    @property
    def is_failed(self) -> bool:
        return bool(self.run and not self.is_running and self.run["verdict"] == "not_published")

    @property
    def problems(self) -> list[dict[str, Any]]:
        """What failed, each with its remedy; a run that broke off without a record of it says so."""
        if self.run is None or self.is_running:
            return []
        return list(self.run["problems"])


def last_night(settings: Settings) -> LastNight:
    """The last whole run as its records say now."""
    return LastNight(_newest(settings, _stamp(settings.outcomes_dir)), lock_holder(settings))


def _stamp(outcomes_dir: Path) -> tuple[str, int]:
    """Changes with every record: the folder of the newest month, and when something was put into it."""
    folders = [one for one in outcomes_dir.glob("*") if one.is_dir()]
    newest = max(folders, key=lambda one: one.name, default=None)
    return (newest.name, newest.stat().st_mtime_ns) if newest else ("", 0)


@functools.lru_cache(maxsize=2)
def _newest(settings: Settings, stamp: tuple[str, int]) -> dict[str, Any] | None:
    return newest_run(settings)
