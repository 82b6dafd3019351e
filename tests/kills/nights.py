"""Nights of the town, run as the command `oneledger run` in a process that is watched, killed or starved of disk."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from oneledger.publishing.versions import current_version
from oneledger.settings import Settings
from oneledger.warehouse.leftovers import clear_leftovers
from tests.kills.effects import Effect, Ended, run_watched
from tests.kills.holding import State, leftovers, read_state
from tests.kills.town import FIRST_DAY, Registry, Town

HISTORY_DAYS = 2
LAST_DAY = FIRST_DAY + dt.timedelta(days=HISTORY_DAYS)
Decide = Callable[[Effect], str | None]


def let_go_on(_: Effect) -> str | None:
    """Nothing happens to the night."""
    return None


@dataclass
class Tried:
    """One night to which something happened, and the next one, which ran alone.

    Attributes:
        point: what was to happen.
        hit: the effect before which it happened; empty when the night was over before.
        first: how the night ended; its exit code is -9 when it was killed.
        problems: everything that is not as after an undisturbed night; empty is what is promised.
    """

    point: str
    hit: str
    first: int
    seconds: float
    problems: list[str] = field(default_factory=list)
    first_log: str = ""


@dataclass
class Nights:
    """The town after a history of some nights, ready to be copied, and what one undisturbed night makes of it."""

    town: Town
    registry: Registry
    base: Path
    say: Callable[[str], None] = print
    undisturbed: State | None = None
    effects: tuple[Effect, ...] = ()

    @classmethod
    def prepare(cls, folder: Path, say: Callable[[str], None]) -> Nights:
        """Write the town, carry its history to a published version, and run the night that will be disturbed."""
        import_everything()
        town = Town(folder / "town")
        town.write_project()
        town.deliver(FIRST_DAY)
        registry = Registry(town)
        nights = cls(town, registry, folder / "base", say)
        registry.start()
        try:
            for number in range(HISTORY_DAYS):
                day = FIRST_DAY + dt.timedelta(days=number)
                town.deliver(day)
                nights.must_run(day)
            shutil.copytree(town.home, nights.base, symlinks=True)
            town.deliver(LAST_DAY)
            ended = nights.must_run(LAST_DAY)
            nights.effects = ended.effects
            nights.undisturbed = read_state(nights.settings_of(LAST_DAY))
            if problems := nights.undisturbed.problems:
                raise AssertionError(f"an undisturbed night is not well: {problems}")
        except BaseException:
            registry.stop()
            raise
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = (used.ru_utime + used.ru_stime) / (HISTORY_DAYS + 1)
        say(f"prepared: {HISTORY_DAYS} nights of history; the night has {len(nights.effects)} effects on the disk "
            f"and took {ended.seconds:.1f} s, {processor:.1f} s of them of a processor")  # fmt: skip
        return nights

    def close(self) -> None:
        self.registry.stop()

    def back_to_the_evening(self) -> None:
        """The home as it was before the night."""
        shutil.rmtree(self.town.home, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.base), str(self.town.home)], check=True)

    def night(
        self, day: dt.date = LAST_DAY, decide: Decide = let_go_on, *, kill_after_seconds: float | None = None
    ) -> Ended:
        """One `oneledger run`, in a process group of its own."""
        environment = self.town.environment(day, self.registry.address)

        def work() -> int:
            os.environ.update(environment)
            log = os.open(self.town.folder / "night.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.argv = ["oneledger", "run"]
            from oneledger.cli import main

            main()
            return 0

        return run_watched(work, self.town.home, decide, kill_after_seconds=kill_after_seconds)

    def must_run(self, day: dt.date = LAST_DAY) -> Ended:
        """A night to which nothing happens must be published."""
        ended = self.night(day)
        if ended.code != 0:
            raise AssertionError(f"the night of {day} ended with {ended.code}:\n{self.log()}")
        return ended

    def log(self) -> str:
        """What the last night said, from its end."""
        return (self.town.folder / "night.log").read_text("utf-8", "replace")[-3000:]

    def settings_of(self, day: dt.date) -> Settings:
        """The settings of the town's installation."""
        config = self.town.project / "config"
        return Settings(
            home=self.town.home, project_root=self.town.project, memory_limit="2GB", threads=2,
            catalogue_paths=(config / "sources.yml", config / "town.yml"), as_of=day,
        )  # fmt: skip

    def try_point(
        self,
        point: str,
        decide: Decide = let_go_on,
        *,
        kill_after_seconds: float | None = None,
        bring_back: Callable[[], None] = lambda: None,
    ) -> Tried:
        """The night with something happening to it, then the next one alone, then everything that must hold."""
        begun = time.monotonic()
        self.back_to_the_evening()
        first = self.night(decide=decide, kill_after_seconds=kill_after_seconds)
        tried = Tried(point, str(first.killed_before or ""), first.code, 0.0, first_log=self.log())
        is_killed = first.code == -signal.SIGKILL
        # A night that went on without a source may have published what there was: that is a version of its own.
        tried.problems += self._readable_now(is_killed)
        bring_back()
        second = self.night()
        if second.code != 0:
            tried.problems.append(f"the next run ended with {second.code}: {self.log()}")
        else:
            state = read_state(self.settings_of(LAST_DAY))
            assert self.undisturbed is not None
            if not is_killed:
                state.recorded["publish", "a version"] = self.undisturbed.recorded["publish", "a version"]
            tried.problems += [*self._stale_are_cleared(state.problems), *state.differences(self.undisturbed)]
        tried.seconds = round(time.monotonic() - begun, 1)
        return tried

    def _stale_are_cleared(self, problems: list[str]) -> list[str]:
        """A record that was being written when its process died has no lock: the nights of the day after remove it."""
        young = [one for one in problems if one.startswith("left behind: ") and one.endswith(".partial")]
        clear_leftovers(self.settings_of(LAST_DAY), dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
        still = leftovers(self.settings_of(LAST_DAY)) if young else []
        return [one for one in problems if one not in young or one in still]

    def _readable_now(self, is_killed: bool) -> list[str]:
        """Readers see a whole version, the one before or the new one, also before anything was mended."""
        assert self.undisturbed is not None
        current = current_version(self.settings_of(LAST_DAY))
        if current is None:
            return ["after the kill nothing is published"]
        known = {self._evening_hash(), self.undisturbed.content_hash}
        if is_killed and current.content_hash not in known:
            return [f"after the kill readers see {current.version}, neither the version before nor the new one"]
        return [] if current.marts_path.is_file() else [f"after the kill {current.version} has no marts"]

    def _evening_hash(self) -> str:
        manifest = json.loads((self.base / "published" / "current" / "manifest.json").read_text("utf-8"))
        return str(manifest["content_hash"])


def kill_before(number: int) -> Decide:
    """Kill before the effect of this number."""
    return lambda effect: "kill" if effect.number == number else None


def random_moments(count: int, seed: int, seconds: float) -> list[float]:
    """Moments spread over a night that takes so many seconds."""
    chance = random.Random(seed)
    return [round(chance.uniform(0.0, seconds), 3) for _ in range(count)]


def import_everything() -> None:
    """What each night would import: a fork has it, so that a night costs what it does and not what it loads."""
    import oneledger.cli
    import oneledger.pipeline.nightly
    from oneledger.quality.session import warm_up as import_checks
    from oneledger.warehouse.models import warm_up as import_models

    import_checks()
    import_models()
    for room in oneledger.cli.ROOMS:
        __import__(f"oneledger.cli.{room}")
