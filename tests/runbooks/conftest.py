"""One installation over a short city, with a checkout and a backup of its own, for the commands of all pages."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneledger.city.breaking import break_city
from oneledger.city.build import CityPlan, build_city
from oneledger.city.work_progress import WorkProgress
from oneledger.settings import PROJECT_ROOT, Settings
from tests.faults.rounds import FIRST, LAST, served

from .commands import Shell

# The first night is good, up to this day. An entity that never came at all would shut the gate by itself.
GOOD_UNTIL = dt.date(2022, 10, 20)
# The second: a page each, and the fault of the city (with its day) that causes what the page is about.
DELIVERED_WRONGLY = {
    "control-file-missing": ("missing_control_file", 21), "source-late": ("missing_day", 22),
    "delivery-cut-off": ("truncated_file", 23), "web-page-instead-of-data": ("login_page", 24),
    "file-of-a-wrong-day": ("file_of_a_future_day", 25), "text-file-written-otherwise": ("wrong_delimiter", 26),
    "columns-changed": ("renamed_column", 27), "rows-held-back": ("chinese_numerals", 28),
    "personal-data": ("mobile_number", 29), "delivery-does-harm": ("gzip_bomb", 30),
    "workbook-not-readable": ("password", 31),
    "interface-does-not-answer": ("server_error", 31), "interface-answers-wrongly": ("records_moved", 31),
    "database-does-not-answer": ("missing_table", 31), "records-contradict": ("repeating_view", 31),
    "code-not-registered": ("unknown_project", 31),
}  # fmt: skip
# The third: what shows only beside what was loaded before, and what shuts a gate.
GATE_SHUT = {
    "records-left-out": ("half_the_reviews", 31), "unit-changed": ("yuan_for_wan", 31),
    "volume-unusual": ("part_of_a_day", 31), "clock-of-a-source": ("clock_ahead", 31),
}  # fmt: skip


# An interface that is away is asked twice only.
IMPATIENT = """
version: 1
sources:
  irs:
    http: {timeout_seconds: 60, attempts: 2, first_wait_seconds: 0.05}
"""


def break_all(faults: dict[str, tuple[str, int]], city_dir: Path) -> None:
    for kind, day in faults.values():
        break_city(kind, city_dir, dt.date(LAST.year, LAST.month, day))


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the installation is: a new folder, or the one that was kept from before."""
    folder = Path(os.environ.get("RUNBOOKS_IN") or tmp_path_factory.mktemp("runbooks"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def checkout(kept: Path) -> Path:
    """A checkout that pages may edit and put back; the code that runs is the one under test."""
    folder = kept / "oneledger"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", "--shared", str(PROJECT_ROOT), str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def shell(checkout: Path, kept: Path) -> Iterator[Shell]:
    """A home beside the city, after a good night."""
    home = kept / "var"
    is_new = not (home / "published" / "current").exists()
    if is_new:
        settings = Settings(home=home, threads=2, memory_limit="2GB")
        with WorkProgress(is_quiet=True) as progress:
            build_city(CityPlan(first=FIRST, last=GOOD_UNTIL), settings, home / "city", progress)
    impatient = home / "impatient.yml"
    impatient.write_text(IMPATIENT, encoding="utf-8")
    with served(home) as connections, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        made = Shell(
            {
                **connections, "ONELEDGER_HOME": str(home), "ONELEDGER_PROJECT_ROOT": str(checkout),
                "ONELEDGER_CATALOGUE": f"{checkout / 'config' / 'sources.yml'}:{impatient}",
                "ONELEDGER_AS_OF": LAST.isoformat(), "ONELEDGER_BACKUP": str(home.with_name("backup")),
                "ONELEDGER_MEMORY_LIMIT": "2GB", "ONELEDGER_THREADS": "2",
                "TAKEN_PORT": str(taken.getsockname()[1]),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
            checkout,
        )  # fmt: skip
        if is_new:
            made.environment["ONELEDGER_AS_OF"] = GOOD_UNTIL.isoformat()
            made.run("oneledger", "run")
            made.environment["ONELEDGER_AS_OF"] = LAST.isoformat()
            made.run("oneledger", "city", "build", "--from", FIRST.isoformat(), "--to", LAST.isoformat())
        yield made
