"""Rounds of faults: which of them go together, a city that is broken and mended, and what was seen of it."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from oneledger.catalogue import Catalogue, load_catalogue
from oneledger.city.breaking import KINDS, break_city, mend_city
from oneledger.city.drop_files import PORTALS
from oneledger.city.faults.breakage import Breakage
from oneledger.outcomes import Outcome
from oneledger.pipeline.ingest import ingest_source
from oneledger.quality.gates import run_gate
from oneledger.quality.results import CheckResult
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.warehouse.admission import admit
from oneledger.warehouse.connection import open_warehouse

FIRST, LAST = dt.date(2022, 10, 1), dt.date(2022, 10, 31)
# The first and the last day stay whole: a day can only be missing between two others.
DAYS = [FIRST + dt.timedelta(days=number) for number in range(1, 30)]
SOURCES = ("irs", "project_library", "zheliban", "zhezhengding", "finance")
# A server that sends nothing is waited for as long as the catalogue says: here, not long.
IMPATIENT = """
version: 1
sources:
  irs:
    http: {timeout_seconds: 6, attempts: 2, first_wait_seconds: 0.05}
"""


@dataclass(frozen=True)
class Injected:
    """One fault of a round, the day whose delivery it spoils, and what it said that it changed."""

    breakage: Breakage
    day: dt.date

    @property
    def says(self) -> list[str]:
        return [word.format(day=f"{self.day:%Y%m%d}") for word in self.breakage.expected.says]

    @property
    def file(self) -> str:
        """The drop file of the day; empty for faults of other places."""
        if not self.breakage.is_of_day:
            return ""
        portal = next(portal for portal in PORTALS if self.breakage.place == f"drops/{portal.name}")
        return portal.file_name.format(day=self.day)


def divide(kinds: Sequence[Breakage]) -> list[list[Injected]]:
    """Faults into as few rounds as they need: two of one place never meet, unless in files of different days.

    What needs a history comes no earlier than in the second round.
    """
    rounds: list[list[Injected]] = []
    for breakage in kinds:
        for number in range(int(breakage.needs_history), 20):
            while len(rounds) <= number:
                rounds.append([])
            known = rounds[number]
            if breakage.is_of_day:
                taken = {one.day for one in known if one.breakage.place == breakage.place}
                free = [day for day in DAYS if day not in taken]
            else:
                touching = any(_meet(breakage.place, one.breakage.place) for one in known)
                free = [] if touching else [LAST]
            if free:
                # A check that compares with days before needs some.
                known.append(Injected(breakage, free[len(free) // 2 if breakage.needs_history else 0]))
                break
    return rounds


def _meet(one: str, other: str) -> bool:
    whole = ("library/",)
    return one == other or (one in whole and other.startswith(one)) or (other in whole and one.startswith(other))


# What spoils a whole source comes last, in rounds that load nothing: one publication after them shows that.
ROUNDS = divide([breakage for breakage in KINDS.values() if not breakage.needs_reference_city])


def sources_of(faults: Sequence[Injected]) -> list[str]:
    spoiled = {one.breakage.expected.source for one in faults}
    return [source for source in SOURCES if source in spoiled]


@dataclass
class Seen:
    """What a round of faults showed."""

    run_id: str
    outcomes: list[Outcome]
    checks: list[CheckResult]
    quarantined: list[dict[str, Any]]
    landed: dict[str, int]
    before: dict[str, int]
    differing: dict[str, int] = field(default_factory=dict)


@dataclass
class Installation:
    """One ONELEDGER_HOME beside the city of all rounds."""

    settings: Settings
    city_dir: Path

    @property
    def catalogue(self) -> Catalogue:
        return load_catalogue(self.settings)

    def ingest(
        self, run_id: str, *, is_anew: bool, watched: Sequence[str] = (), sources: Sequence[str] = SOURCES
    ) -> list[Outcome]:
        """The IRS whole, but for the entities that are watched for what changed."""
        outcomes: list[Outcome] = []
        for source in sources:
            names = list(self.catalogue.source(source).entities)
            old = [name for name in names if source == "irs" and name in watched]
            new = [name for name in names if name not in old]
            outcomes += ingest_source(source, self.settings, self.catalogue, run_id=run_id, entities=new,
                                      is_anew=is_anew and source == "irs")  # fmt: skip
            if old:
                outcomes += ingest_source(source, self.settings, self.catalogue, run_id=run_id, entities=old)
        return outcomes

    def admit(self, run_id: str) -> list[Outcome]:
        return admit(self.settings, self.catalogue, run_id=run_id)

    def newest_revisions(self) -> dict[str, int]:
        """Newest landed revision of each partition, ``zheliban.usage.20221005``."""
        found: dict[str, int] = {}
        for path in self.settings.landing_dir.glob("*/*/*/r*"):
            entity = ".".join(path.relative_to(self.settings.landing_dir).parts[:3])
            found[entity] = max(found.get(entity, 0), int(path.name[1:]))
        return found

    def broken(self, faults: Sequence[Injected], run_id: str) -> Seen:
        """Break the city, carry it through to the gate of the sources, and say what was seen."""
        before = self.newest_revisions()
        for fault in faults:
            break_city(fault.breakage.kind, self.city_dir, fault.day)
        watched = [one.breakage.expected.entity for one in faults if one.breakage.needs_history]
        outcomes = self.ingest(run_id, is_anew=True, watched=watched, sources=sources_of(faults))
        landed = self.newest_revisions()
        outcomes += self.admit(run_id)
        looks_at_gate = any(one.breakage.expected.decision == "gate" for one in faults)
        checks = run_gate("sources", self.settings, self.catalogue, run_id=run_id).results if looks_at_gate else ()
        return Seen(run_id, outcomes, list(checks), self.rows("quarantine.row", run_id), landed, before)

    def mend(self, faults: Sequence[Injected], run_id: str) -> list[str]:
        """Mend everything and take it again; returns what still could not be taken."""
        mend_city(self.city_dir)
        outcomes = self.ingest(run_id, is_anew=True, sources=sources_of(faults))
        return [one.message for one in outcomes if one.verdict == "failed"]

    def rows(self, table: str, run_id: str) -> list[dict[str, Any]]:
        with open_warehouse(self.settings, read_only=True) as connection:
            found = connection.execute(f"select * from {table} where run_id = ?", [run_id])
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def differing_usage(self, other: Installation, source: str, day: dt.date) -> int:
        """Admitted rows of a day that stand here and not there, or the other way round."""
        with duckdb.connect() as connection:
            for name, home in (("here", self), ("there", other)):
                connection.execute(f"attach '{home.settings.warehouse_path}' as {name} (read_only)")
            select = (
                "select * exclude (_batch_id, _file_id, _row_number) from {}.admitted.usage "
                f"where source = '{source}' and usage_on = date '{day}'"
            )
            here, there = select.format("here"), select.format("there")
            found = connection.execute(
                f"select count(*) from (({here} except all {there}) union all ({there} except all {here}))"
            ).fetchone()
            return int(found[0]) if found else -1


def new_installation(home: Path, city_dir: Path) -> Installation:
    home.mkdir()
    impatient = home / "impatient.yml"
    impatient.write_text(IMPATIENT, encoding="utf-8")
    settings = Settings(
        home=home, project_root=PROJECT_ROOT, memory_limit="2GB", threads=2, as_of=LAST,
        catalogue_paths=(PROJECT_ROOT / "config" / "sources.yml", impatient),
    )  # fmt: skip
    return Installation(settings, city_dir)


@contextmanager
def served(home: Path) -> Iterator[dict[str, str]]:
    """The city's API as a process of its own; gives the connections of all its systems."""
    path = home / "city" / "connections.env"
    stamp = path.stat().st_mtime_ns
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("oneledger")), "city", "serve", "--rate", "0"],
        env={**os.environ, "ONELEDGER_HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while path.stat().st_mtime_ns == stamp:
                assert server.poll() is None, server.stderr.read() if server.stderr else ""
                assert time.monotonic() < deadline, "oneledger city serve did not write its address in 60 s"
                time.sleep(0.1)
            yield dict(re.findall(r"^(?:export )?(\w+)='?([^'\n]*)'?$", path.read_text("utf-8"), re.MULTILINE))
        finally:
            server.terminate()
