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
from tests.faults.rounds import FIRST, IMPATIENT, LAST, served

from .commands import Shell

# The first night: a page each, and the fault of the city (with its day) that causes what the page is about.
FIRST_NIGHT = {
    "control-file-missing": ("missing_control_file", 3), "source-late": ("missing_day", 5),
    "delivery-cut-off": ("truncated_file", 7), "web-page-instead-of-data": ("login_page", 9),
    "file-of-a-wrong-day": ("file_of_a_future_day", 11), "text-file-written-otherwise": ("wrong_delimiter", 13),
    "columns-changed": ("renamed_column", 15), "rows-held-back": ("chinese_numerals", 17),
    "personal-data": ("mobile_number", 19), "workbook-not-readable": ("password", 31),
    "interface-does-not-answer": ("server_error", 31), "interface-answers-wrongly": ("records_moved", 31),
    "database-does-not-answer": ("missing_table", 31), "records-contradict": ("repeating_view", 31),
    "code-not-registered": ("unknown_project", 31), "clock-of-a-source": ("clock_ahead", 31),
}  # fmt: skip
# The second: what shows only beside what was loaded before, and what shuts a gate.
SECOND_NIGHT = {
    "records-left-out": ("half_the_reviews", 31), "unit-changed": ("yuan_for_wan", 31),
    "volume-unusual": ("part_of_a_day", 30),
}  # fmt: skip


def break_all(faults: dict[str, tuple[str, int]], city_dir: Path) -> None:
    for kind, day in faults.values():
        break_city(kind, city_dir, dt.date(LAST.year, LAST.month, day))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that pages may edit and put back; the code that runs is the one under test."""
    folder = tmp_path_factory.mktemp("checkout") / "oneledger"
    subprocess.run(["git", "clone", "--quiet", "--shared", str(PROJECT_ROOT), str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def shell(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A home beside the spoiled city, before its first night."""
    home = tmp_path_factory.mktemp("runbooks") / "var"
    settings = Settings(home=home, threads=2, memory_limit="2GB")
    with WorkProgress(is_quiet=True) as progress:
        build_city(CityPlan(first=FIRST, last=LAST), settings, home / "city", progress)
    break_all(FIRST_NIGHT, home / "city")
    impatient = home / "impatient.yml"
    impatient.write_text(IMPATIENT, encoding="utf-8")
    with served(home) as connections, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield Shell(
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


def back_up(shell: Shell) -> None:
    """A copy of all that cannot be made again, as an operator keeps it."""
    home, backup = Path(shell.environment["ONELEDGER_HOME"]), Path(shell.environment["ONELEDGER_BACKUP"])
    shutil.rmtree(backup, ignore_errors=True)
    rooms = ("landing", "seals", "releases", "evaluations", "corrections", "retention", "published", "outcomes")
    for room in rooms:
        if (home / room).exists():
            shutil.copytree(home / room, backup / room, symlinks=True)
