"""Readers beside a publishing writer, and a writer that is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

from oneledger.publishing.publish import publish, recover
from oneledger.publishing.versions import NOT_YET_CURRENT, current_version, list_versions
from oneledger.settings import Settings
from oneledger.warehouse.connection import open_warehouse
from tests.publishing.conftest import add_usage, open_gates, opened

PUBLISHES = 6
READER = """
import sys, time
from pathlib import Path
import duckdb
link, done, reads = Path(sys.argv[1]), Path(sys.argv[2]), 0
while not done.exists() or reads < 5:
    folder = link.resolve()
    with duckdb.connect(str(folder / "marts.duckdb"), read_only=True) as marts:
        usage = "select max(visitors_count) from marts.marts.app_usage_month where app_id = 'a1'"
        first = marts.execute(usage).fetchall()
        second = marts.execute("select max(stars) from evaluation.app_stars").fetchall()
        facts = marts.execute(
            f"select min(visitors_count) from read_parquet('{folder}/facts/fct_app_usage_day/2022-10.parquet')"
        ).fetchall()
    assert first == second == facts, (first, second, facts)
    reads += 1
    time.sleep(0.01)
print(reads)
"""

WRITER = """
import sys, datetime as dt
from pathlib import Path
from oneledger.settings import Settings
from oneledger.publishing.publish import publish
from oneledger.warehouse.connection import open_warehouse
from tests.publishing.conftest import add_usage, open_gates
settings = Settings(home=Path(sys.argv[1]), project_root=Path(sys.argv[2]), memory_limit="1GB", threads=1)
number = int(sys.argv[3])
while True:
    number += 1
    with open_warehouse(settings) as connection:
        connection.execute("begin")
        connection.execute("update marts.app_usage_month set visitors_count = ? where app_id = 'a1'", [number])
        connection.execute("update evaluation.app_stars set stars = ?", [number])
        add_usage(connection, "2022-10-31", number)
        open_gates(connection)
        connection.execute("commit")
    publish(settings, run_id=f"run-{number}")
    print(number, flush=True)
"""


def set_number(settings: Settings, number: int) -> None:
    with open_warehouse(settings) as connection:
        connection.execute("update marts.app_usage_month set visitors_count = ? where app_id = 'a1'", [number])
        connection.execute("update evaluation.app_stars set stars = ?", [number])
        add_usage(connection, "2022-10-31", number)
        open_gates(connection)


def test_readers_beside_a_publishing_writer_see_whole_versions_and_no_error(settings: Settings) -> None:
    set_number(settings, 1)
    publish(settings, run_id="run-1")
    link, done = settings.published_dir / "current", settings.home / "readers-may-end"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(link), str(done)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for number in range(2, 2 + PUBLISHES):
        set_number(settings, number)
        publish(settings, run_id=f"run-{number}")
    done.touch()
    answers = [reader.communicate() for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0, 0, 0], [answer[1].decode() for answer in answers]
    assert all(int(answer[0]) >= 5 for answer in answers)


def test_a_writer_killed_anywhere_leaves_a_whole_version_and_the_next_publish_mends_the_rest(
    settings: Settings,
) -> None:
    chance = random.Random(20221031)
    number = 1
    set_number(settings, number)
    publish(settings, run_id="run-1")
    for _ in range(6):
        command = [sys.executable, "-c", WRITER, str(settings.home), str(settings.project_root), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            published = int(writer.stdout.readline())
            time.sleep(chance.uniform(0, 0.25))
            os.kill(writer.pid, signal.SIGKILL)
            published = max([published, *map(int, writer.stdout.read().split())])
        current = current_version(settings)
        assert current is not None
        with opened(current.marts_path) as marts:
            number = marts.execute("select max(stars) from evaluation.app_stars").fetchall()[0][0]
            assert marts.execute("select visitors_count from marts.app_usage_month where app_id = 'a1'").fetchone() == (
                number,
            )
        assert number in (published, published + 1)
        with open_warehouse(settings) as connection:
            open_gates(connection)
            committed = connection.execute("select max(stars) from evaluation.app_stars").fetchall()[0][0]
        mended = publish(settings, run_id="after-the-kill")
        assert not list(settings.published_dir.glob(".partial-*"))
        assert not any((one.path / NOT_YET_CURRENT).exists() for one in list_versions(settings))
        with opened(mended.marts_path) as marts:
            assert marts.execute("select max(stars) from evaluation.app_stars").fetchone() == (committed,)
        number = committed


def test_a_version_that_was_ready_when_the_writer_died_becomes_current_at_the_next_start(settings: Settings) -> None:
    first = publish(settings, run_id="run-one")
    set_number(settings, 5)
    second = publish(settings, run_id="run-two")
    link = settings.published_dir / "current"
    link.unlink()
    link.symlink_to(first.version)
    (second.path / NOT_YET_CURRENT).touch()
    (settings.published_dir / ".partial-run-three").mkdir()
    assert recover(settings) == second
    assert current_version(settings) == second
    assert not (settings.published_dir / ".partial-run-three").exists()


def test_a_link_that_was_set_back_on_purpose_stays(settings: Settings) -> None:
    first = publish(settings, run_id="run-one")
    set_number(settings, 5)
    publish(settings, run_id="run-two")
    link = settings.published_dir / "current"
    link.unlink()
    link.symlink_to(first.version)
    assert recover(settings) is None
    assert current_version(settings) == first
