"""Many nights, each with something happening to it; a line of progress for each, and a report."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from oneledger.publishing.versions import list_versions
from oneledger.settings import PROJECT_ROOT
from tests.kills.effects import Effect, takes_space
from tests.kills.holding import read_state
from tests.kills.nights import LAST_DAY, Nights, Tried, kill_before, random_moments
from tests.kills.points import NAMED, TELLING, Point, full_from, once_at
from tests.kills.reader import figures_of

READERS = 8


@dataclass
class Campaign:
    """What is tried on one town, and what came of it."""

    nights: Nights
    say: Callable[[str], None]
    tried: list[Tried] = field(default_factory=list)

    @property
    def failed(self) -> list[Tried]:
        return [one for one in self.tried if one.problems]

    def named(self, only: tuple[str, ...] = ()) -> None:
        """Every named point, or only these."""
        for point in NAMED:
            if only and point.name not in only:
                continue
            tried = self.nights.try_point(point.name, point.decide())
            if not tried.hit:
                tried.problems.append("the night never came to this point")
            self._add(tried)

    def telling(self) -> None:
        """One point of each kind."""
        self.named(TELLING)

    def effects(self, count: int) -> None:
        """Before so many effects, spread evenly over all that a night makes; of repeated writes to a file few."""
        telling = list(_thinned(self.nights.effects))
        step = max(1, len(telling) // count) if count else 1
        for effect in telling[::step]:
            self._add(self.nights.try_point(f"before effect {effect}", kill_before(effect.number)))

    def moments(self, count: int, seed: int) -> None:
        """At random moments of the clock."""
        last = self.nights.effects[-1].seconds
        for moment in random_moments(count, seed, last):
            self._add(self.nights.try_point(f"after {moment:.3f} s (seed {seed})", kill_after_seconds=moment))

    def disk(self, count: int) -> None:
        """The disk full from so many places on, until the night is over."""
        places = [one for one in self.nights.effects if takes_space(one)]
        for effect in places[:: max(1, len(places) // count)]:
            tried = self.nights.try_point(f"disk full from {effect} on", full_from(effect.number))
            tried.problems += self._said_disk_full(tried)
            self._add(tried)

    def sources(self) -> None:
        """A source that goes away in the middle of being read, and comes back for the next night."""
        town, registry = self.nights.town, self.nights.registry
        gone = Path(f"{town.portal}.gone")
        hidden = town.library.with_suffix(".gone")
        cases: list[tuple[str, Point, Callable[[], None], Callable[[], None]]] = [
            ("the server is gone in the middle of its first page",
             Point("", "write", r"/\.partial-answer/page-00001\.json$", 2), registry.stop, registry.start),
            ("the folder is gone while its first file is copied",
             Point("", "create", r"^landing/portal/usage/\.partial-[^/]+/portal_"),
             lambda: _rename(town.portal, gone), lambda: _rename(gone, town.portal)),
            ("the folder is gone before anything of it is read",
             Point("", "create", r"^landing/registry/"),
             lambda: _rename(town.portal, gone), lambda: _rename(gone, town.portal)),
            ("the database is gone before it is read",
             Point("", "create", r"^landing/registry/"),
             lambda: _rename(town.library, hidden), lambda: _rename(hidden, town.library)),
        ]  # fmt: skip
        for name, point, goes, comes in cases:
            happened: list[bool] = []
            tried = self.nights.try_point(
                name, once_at(point, lambda goes=goes, happened=happened: _happen(goes, happened)), bring_back=comes
            )
            if not happened:
                tried.problems.append("the night never came to this point")
            self._add(tried)

    def readers(self, nights: int, seed: int) -> dict[str, object]:
        """Eight readers all through so many nights, each killed and repeated; what they were told, and by whom."""
        chance = random.Random(seed)
        settings = self.nights.settings_of(LAST_DAY)
        self.nights.back_to_the_evening()
        done = self.nights.town.folder / "readers-may-end"
        answers = [self.nights.town.folder / f"reader-{number}.json" for number in range(READERS)]
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.kills.reader", str(settings.home), str(done), str(path)], cwd=PROJECT_ROOT
            )
            for path in answers
        ]
        problems: list[str] = []
        kills = 0
        try:
            for number in range(nights):
                day = LAST_DAY + dt.timedelta(days=number)
                self.nights.town.deliver(day)
                effect = chance.randrange(1, len(self.nights.effects))
                ended = self.nights.night(day, kill_before(effect))
                kills += ended.code == -9
                self.nights.must_run(day)
                self.say(f"  night {number + 1} of {nights} with {READERS} readers: {ended.killed_before}")
        finally:
            done.touch()
            codes = [process.wait(120) for process in processes]
        versions = {json.dumps(figures_of(settings, one)): one.version for one in list_versions(settings)}
        reads = 0
        seen: set[str] = set()
        for path, code in zip(answers, codes, strict=True):
            answer = json.loads(path.read_text("utf-8")) if code == 0 else {"reads": 0, "told": {}, "errors": [code]}
            reads += answer["reads"]
            problems += [f"a reader met {error}" for error in answer["errors"]]
            problems += [f"a reader was told {one}, which no version says" for one in answer["told"].keys() - versions]
            seen |= answer["told"].keys() & versions.keys()
        problems += read_state(self.nights.settings_of(day)).problems
        self.say(f"{READERS} readers, {nights} nights, {kills} kills: {reads} reads of {len(seen)} versions, "
                 f"{len(problems)} problems")  # fmt: skip
        return {"nights": nights, "kills": kills, "reads": reads, "versions": len(seen), "problems": problems}

    def _said_disk_full(self, tried: Tried) -> list[str]:
        """A night without space must say so in a sentence; it may be published when what failed was no more needed."""
        if tried.first not in (0, 1):
            return [f"a night on a full disk ended with {tried.first}: {tried.first_log[-1500:]}"]
        if "Traceback" in tried.first_log:
            return [f"a night on a full disk ended with a trace: {tried.first_log[-1500:]}"]
        return []

    def _add(self, tried: Tried) -> None:
        self.tried.append(tried)
        how = {-9: "killed", 0: "not hit, published", 1: "ended red"}.get(tried.first, str(tried.first))
        verdict = "ok" if not tried.problems else f"BROKEN: {tried.problems[0]}"
        place = f" [{tried.hit}]" if tried.hit and tried.hit not in tried.point else ""
        self.say(f"{len(self.tried):4d} {tried.seconds:5.1f} s  {how}: {tried.point}{place}: {verdict}")


def _thinned(effects: tuple[Effect, ...]) -> Iterator[Effect]:
    """Of a row of writes to one file only the first, one in the middle and the last."""
    row: list[Effect] = []
    for effect in (*effects, None):
        if row and (effect is None or effect.call != "write" or effect.path != row[0].path):
            yield from dict.fromkeys((row[0], row[len(row) // 2], row[-1]))
            row = []
        if effect is None:
            return
        if effect.call == "write":
            row.append(effect)
        else:
            yield effect


def _happen(goes: Callable[[], None], happened: list[bool]) -> None:
    happened.append(True)
    goes()


def _rename(one: Path, other: Path) -> None:
    deadline = time.monotonic() + 10
    while not one.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    one.rename(other)
