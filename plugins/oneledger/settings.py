"""Where state lies and how much of the machine may be used; everything comes from the environment."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from oneledger.memory import share_of_duckdb

CITY_TIMEZONE = ZoneInfo("Asia/Shanghai")
PROJECT_ROOT = Path(__file__).resolve().parents[2]


class ConfigurationError(Exception):
    """Settings, connections or the catalogue are wrong: the message says what, where and how to mend it.

    The command line answers with exit code 2.
    """


@dataclass(frozen=True)
class Settings:
    """Paths and limits of one installation.

    Attributes:
        home: the one directory that holds all state (``ONELEDGER_HOME``, default ``var/``).
        project_root: the checkout, where ``config/``, ``dbt_project/`` and ``expectations/`` lie.
        memory_limit: what one command may use (``ONELEDGER_MEMORY_LIMIT``); DuckDB spills to disk to keep it.
        threads: DuckDB threads (``ONELEDGER_THREADS``).
        catalogue_paths: the source catalogue files, in reading order (``ONELEDGER_CATALOGUE``, joined by ``:``).
        backfill_needs_second_person: whether somebody else than its planner must apply a backfill
            (``ONELEDGER_BACKFILL_SECOND_PERSON``, ``yes`` or ``no``; default yes).
        as_of: the business date for sources that name none (``ONELEDGER_AS_OF``); default yesterday in the city.
    """

    home: Path
    project_root: Path = PROJECT_ROOT
    memory_limit: str = "4GB"
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    catalogue_paths: tuple[Path, ...] = ()
    as_of: dt.date | None = None
    backfill_needs_second_person: bool = True

    @property
    def duckdb_memory_limit(self) -> str:
        """DuckDB's share of ``memory_limit``: the rest is for Python, dbt and Great Expectations.

        Raises:
            ConfigurationError: the limit is no size.
        """
        try:
            return share_of_duckdb(self.memory_limit)
        except ValueError as error:
            raise ConfigurationError(
                f"ONELEDGER_MEMORY_LIMIT: {error}. Correct or unset it; the default is 4GB."
            ) from error

    @property
    def landing_dir(self) -> Path:
        return self.home / "landing"

    @property
    def raw_dir(self) -> Path:
        return self.home / "raw"

    @property
    def warehouse_path(self) -> Path:
        return self.home / "warehouse" / "warehouse.duckdb"

    @property
    def lock_path(self) -> Path:
        return self.home / "warehouse" / "writer.lock"

    @property
    def published_dir(self) -> Path:
        return self.home / "published"

    @property
    def evaluations_dir(self) -> Path:
        return self.home / "evaluations"

    @property
    def outcomes_dir(self) -> Path:
        return self.home / "outcomes"

    @property
    def releases_dir(self) -> Path:
        return self.home / "releases"

    @property
    def corrections_dir(self) -> Path:
        return self.home / "corrections"

    @property
    def seals_dir(self) -> Path:
        return self.home / "seals"

    @property
    def notices_dir(self) -> Path:
        return self.home / "notices"

    @property
    def city_dir(self) -> Path:
        return self.home / "city"

    @property
    def reports_dir(self) -> Path:
        return self.home / "reports"

    @property
    def airflow_dir(self) -> Path:
        return self.home / "airflow"

    @property
    def logs_dir(self) -> Path:
        return self.home / "logs"

    @property
    def scratch_dir(self) -> Path:
        return self.home / "scratch"

    @property
    def dbt_project_dir(self) -> Path:
        return self.project_root / "dbt_project"

    def business_date(self) -> dt.date:
        """The business date for deliveries that carry none: ``as_of``, else yesterday in the city."""
        return self.as_of or (dt.datetime.now(CITY_TIMEZONE).date() - dt.timedelta(days=1))


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: a variable has a value that cannot be used.
    """
    root = Path(os.environ.get("ONELEDGER_PROJECT_ROOT", PROJECT_ROOT)).resolve()
    home = Path(os.environ.get("ONELEDGER_HOME", root / "var")).expanduser().resolve()
    return Settings(
        home=home,
        project_root=root,
        memory_limit=os.environ.get("ONELEDGER_MEMORY_LIMIT", "4GB"),
        threads=_positive_integer("ONELEDGER_THREADS", os.cpu_count() or 1),
        catalogue_paths=_catalogue_paths(root),
        as_of=_date("ONELEDGER_AS_OF"),
        backfill_needs_second_person=_yes_or_no("ONELEDGER_BACKFILL_SECOND_PERSON", True),
    )


def _catalogue_paths(root: Path) -> tuple[Path, ...]:
    configured = os.environ.get("ONELEDGER_CATALOGUE")
    if configured:
        return tuple(Path(part).expanduser().resolve() for part in configured.split(os.pathsep) if part)
    return (root / "config" / "sources.yml", *sorted((root / "config" / "sources.d").glob("*.yml")))


def _positive_integer(name: str, default: int) -> int:
    text = os.environ.get(name)
    if not text:
        return default
    if not text.isdigit() or int(text) < 1:
        raise ConfigurationError(f"{name} is {text!r}; it must be a whole number of at least 1. Correct or unset it.")
    return int(text)


def _yes_or_no(name: str, default: bool) -> bool:
    text = os.environ.get(name)
    if not text:
        return default
    if text not in ("yes", "no"):
        raise ConfigurationError(f"{name} is {text!r}; it must be yes or no. Correct or unset it.")
    return text == "yes"


def _date(name: str) -> dt.date | None:
    text = os.environ.get(name)
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{name} is {text!r}; it must be a date as yyyy-mm-dd. Correct or unset it."
        ) from error
