"""Build a city, or add days to one that is there."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path

from oneledger.city.changing import LOCK_FILE, changing
from oneledger.city.city_manifest import CityManifest, read_manifest
from oneledger.city.connections_file import build_connections, write_connections
from oneledger.city.drop_files import write_drop_files
from oneledger.city.faults.keeping import kept_dir
from oneledger.city.irs_store import LABEL, write_store
from oneledger.city.population import Population, draw_population
from oneledger.city.project_library import library_uri, write_library
from oneledger.city.projects import draw_projects
from oneledger.city.usage_profile import load_profile, oddities
from oneledger.city.work_progress import WorkProgress
from oneledger.city.workbooks import write_workbooks
from oneledger.city.workspace import open_workspace
from oneledger.settings import ConfigurationError, Settings

FIRST_DAY = dt.date(2021, 1, 1)
LAST_DAY = dt.date(2022, 10, 31)
_OF_SIDE = {"service": "zheliban", "governance": "zhezhengding"}


@dataclass(frozen=True)
class CityPlan:
    """What is to be built.

    Attributes:
        usage_from: first day with usage; earlier ones are left out (load tests).
        calls_from: first day with interface calls; default ``usage_from``. It may lie after ``last``, for a city that
            days are added to.
        project_library: SQLAlchemy URI of the project library; None means SQLite in the city's folder.
        is_fresh: remove a city that is there and build anew.
    """

    scale: int = 1
    first: dt.date = FIRST_DAY
    last: dt.date = LAST_DAY
    seed: int = 1
    usage_from: dt.date | None = None
    calls_from: dt.date | None = None
    project_library: str | None = None
    is_fresh: bool = False

    def checked(self) -> CityPlan:
        """The plan itself; raises ConfigurationError when it cannot be built."""
        if self.scale < 1:
            raise ConfigurationError(f"--scale is {self.scale}; it must be at least 1.")
        if self.first > self.last:
            raise ConfigurationError(f"--from {self.first} lies after --to {self.last}; turn them round.")
        if self.usage_from is not None and not self.first <= self.usage_from <= self.last:
            raise ConfigurationError(
                f"--usage-from {self.usage_from} lies outside {self.first} to {self.last}; choose a day between."
            )
        if self.calls_from is not None and self.calls_from < self.first:
            raise ConfigurationError(
                f"--calls-from {self.calls_from} lies before {self.first}; choose a day of the city, or a later one "
                "for a city that is to grow."
            )
        if self.first < FIRST_DAY:
            raise ConfigurationError(f"--from is {self.first}; the city begins on {FIRST_DAY}.")
        return self


def build_city(plan: CityPlan, settings: Settings, city_dir: Path, progress: WorkProgress) -> CityManifest:
    """Write the source systems; on an existing city only the days after its last one.

    Returns: the manifest, which is also written to ``city.json``.

    Raises:
        ConfigurationError: the plan contradicts the city that is there, or the database cannot be written.
        BusyError: another process changes this city.
    """
    plan = plan.checked()
    with changing(city_dir, "build"):
        return _build(plan, settings, city_dir, progress)


def _build(plan: CityPlan, settings: Settings, city_dir: Path, progress: WorkProgress) -> CityManifest:
    if plan.is_fresh:
        _remove(city_dir)
    before = read_manifest(city_dir)
    if before is not None:
        _agree(plan, before, city_dir)
        if plan.last <= before.last_on:
            write_connections(city_dir, build_connections(city_dir, before.project_library))
            return before
    elif any(one.name != LOCK_FILE for one in city_dir.iterdir()):
        # An interrupted first build leaves no manifest: its half is of no use.
        _remove(city_dir)
    uri = before.project_library if before else library_uri(city_dir, plan.project_library)
    manifest = before or CityManifest(
        plan.seed, plan.scale, plan.first, plan.last, plan.usage_from or plan.first, uri, calls_from_on=plan.calls_from
    )
    _write(plan, manifest, before, settings, city_dir, progress)
    manifest.last_on = plan.last
    write_connections(city_dir, build_connections(city_dir, uri))
    manifest.write(city_dir)
    return manifest


def _write(
    plan: CityPlan, manifest: CityManifest, before: CityManifest | None, settings: Settings, city_dir: Path,
    progress: WorkProgress,
) -> None:  # fmt: skip
    new_from = before.last_on + dt.timedelta(days=1) if before else None
    usage_from = max(manifest.usage_from_on, new_from) if new_from else manifest.usage_from_on
    population = draw_population(manifest.seed, plan.last)
    projects = draw_projects(population.draw, population.departments, population.apps)
    _write_label(city_dir)
    with open_workspace(settings, manifest.scale) as con:
        load_profile(con, population)
        drops = write_drop_files(con, city_dir / "drops", manifest.seed, usage_from, plan.last, progress)
        irs = write_store(
            con, city_dir, population, manifest.seed, manifest.first_day_of_calls, new_from, plan.last, progress
        )
    library = write_library(
        manifest.project_library, projects, population.draw, manifest.scale, new_from, plan.last, progress
    )
    finance = write_workbooks(
        population, projects, city_dir / "drops" / "finance", manifest.scale, manifest.first_on, new_from, plan.last,
        progress,
    )  # fmt: skip
    for portal, rows in drops.items():
        manifest.rows[f"drops.{portal}"] = manifest.rows.get(f"drops.{portal}", 0) + rows
    manifest.rows |= {f"irs.{path}": rows for path, rows in irs.items()}
    manifest.rows |= {f"project_library.{table}": rows for table, rows in library.items()}
    manifest.rows |= {f"finance.{name}": rows for name, rows in finance.items()}
    manifest.rows = dict(sorted(manifest.rows.items()))
    manifest.expected_quarantined = _expected_quarantined(population, manifest.usage_from_on, plan.last)


def _expected_quarantined(population: Population, first: dt.date, last: dt.date) -> dict[str, int]:
    side_of = {part.number: part.app.side for part in population.modules}
    expected = dict.fromkeys(_OF_SIDE.values(), 0)
    for day, module_number, _, _ in oddities(population):
        if first <= day <= last:
            expected[_OF_SIDE[side_of[module_number]]] += 1
    return expected


def _agree(plan: CityPlan, before: CityManifest, city_dir: Path) -> None:
    """A city is extended only as what it is."""
    wanted = {"--seed": plan.seed, "--scale": plan.scale, "--from": plan.first}
    known = {"--seed": before.seed, "--scale": before.scale, "--from": before.first_on}
    if plan.usage_from is not None:
        wanted["--usage-from"], known["--usage-from"] = plan.usage_from, before.usage_from_on
    if plan.calls_from is not None:
        wanted["--calls-from"], known["--calls-from"] = plan.calls_from, before.first_day_of_calls
    if plan.project_library is not None:
        wanted["--project-library"], known["--project-library"] = plan.project_library, before.project_library
    different = [f"{name} is {known[name]}, not {value}" for name, value in wanted.items() if known[name] != value]
    if different:
        raise ConfigurationError(
            f"The city in {city_dir} is another one: {'; '.join(different)}. "
            "Give its own values to add days to it, or --fresh to remove it and build anew."
        )


def _remove(city_dir: Path) -> None:
    if not city_dir.exists():
        return
    # Only what a city is made of: a folder given by mistake keeps its files.
    for name in ("irs", "drops"):
        shutil.rmtree(city_dir / name, ignore_errors=True)
    shutil.rmtree(kept_dir(city_dir), ignore_errors=True)
    for name in ("project_library.db", "city.json", "SYNTHETIC.md", "connections.env"):
        (city_dir / name).unlink(missing_ok=True)


def _write_label(city_dir: Path) -> None:
    (city_dir / "SYNTHETIC.md").write_text(
        "# 合成数据 Synthetic data\n\n"
        f"{LABEL}.\n\n"
        "本目录由 `oneledger city build` 生成，不含任何真实个人、单位或业务数据。\n\n"
        "`irs/` is the store of the HTTP API (`oneledger city serve`), `project_library.db` the project library,\n"
        "`drops/` what the portals and the finance bureau deliver. `city.json` says what it was drawn from.\n",
        encoding="utf-8",
    )
