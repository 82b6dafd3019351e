"""One short city for all faults, served by a real process; one home that never saw a fault, one that sees all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oneledger.city.build import CityPlan, build_city
from oneledger.city.faults.library import WHOLE
from oneledger.city.work_progress import WorkProgress
from oneledger.pipeline.nightly import run
from oneledger.publishing.versions import PublishedVersion, current_version
from oneledger.settings import Settings
from tests.faults.rounds import FIRST, LAST, ROUNDS, Injected, Installation, Seen, new_installation, served


@dataclass
class Matrix:
    """What every round showed, and what was published after it was mended."""

    seen: dict[int, Seen] = field(default_factory=dict)
    published: dict[int, dict[str, str]] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)
    still_refused: dict[int, list[str]] = field(default_factory=dict)
    never_broken: dict[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> tuple[Injected, Seen]:
        """A fault as it was injected, and what its round showed."""
        for number, faults in enumerate(ROUNDS):
            for fault in faults:
                if fault.breakage.kind == kind:
                    return fault, self.seen[number]
        raise KeyError(kind)


# The rounds at the end spoil a whole source and load nothing: what is published after the last of them shows that,
# and shows the round before them.
_LOADING = [number for number, faults in enumerate(ROUNDS) if any(one.breakage.place != WHOLE for one in faults)]
SHOWN_BY_THE_LAST = range(_LOADING[-1], len(ROUNDS) - 1)
# They tell of runs and batches, not of the city: a day that was delivered again has one batch more.
RUN_TABLES = {"marts.run_outcome", "marts.source_freshness"}


def content_of(version: PublishedVersion | None) -> dict[str, str]:
    """Rows and content hash of every published table and month of facts, but for the tables of runs."""
    if version is None:
        return {}
    tables = {one["name"]: one for one in version.manifest["tables"] if one["name"] not in RUN_TABLES}
    facts = {f"{one['fact']} {one['month']}": one for one in version.manifest["facts"]}
    return {name: f"{one['rows_count']} {one['content_hash']}" for name, one in {**tables, **facts}.items()}


@pytest.fixture(scope="session")
def city_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with one month of the city; its connections stand in the environment."""
    home = tmp_path_factory.mktemp("broken") / "var"
    settings = Settings(home=home, threads=2, memory_limit="2GB")
    with WorkProgress(is_quiet=True) as progress:
        build_city(CityPlan(first=FIRST, last=LAST), settings, home / "city", progress)
    known = dict(os.environ)
    with served(home) as connections:
        os.environ.update(connections)
        yield home
    os.environ.clear()
    os.environ.update(known)


@pytest.fixture(scope="session")
def untouched(city_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that never saw a fault, after one night."""
    installation = new_installation(tmp_path_factory.mktemp("untouched") / "home", city_home / "city")
    report = run(installation.settings)
    assert report.is_published, report.problem
    return installation


@pytest.fixture(scope="session")
def matrix(untouched: Installation, city_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """Every round: the city broken, carried to the gate, mended, published."""
    matrix = Matrix(never_broken=content_of(current_version(untouched.settings)))
    installation = new_installation(tmp_path_factory.mktemp("tried") / "home", city_home / "city")
    for number, faults in enumerate(ROUNDS):
        seen = installation.broken(faults, f"round-{number}-broken")
        for fault in faults:
            source = fault.breakage.expected.source
            if fault.breakage.is_of_day and fault.breakage.expected.decision == "accept":
                seen.differing[fault.breakage.kind] = installation.differing_usage(untouched, source, fault.day)
        matrix.seen[number] = seen
        matrix.still_refused[number] = installation.mend(faults, f"round-{number}-mended")
        if number in SHOWN_BY_THE_LAST:
            installation.admit(f"round-{number}-mended")
            continue
        report = run(installation.settings)
        matrix.problems[number] = report.problem
        matrix.published[number] = content_of(current_version(installation.settings))
    return matrix
