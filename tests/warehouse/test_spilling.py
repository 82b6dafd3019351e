"""Spilling: no two databases share a folder, and what dead processes spilled is removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb

from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.warehouse.connection import duckdb_config
from oneledger.warehouse.leftovers import clear_leftovers
from oneledger.warehouse.spilling import clear_spills_of_the_dead, spill_folder

# Fills more than it may keep in memory, says where, and waits to be killed.
SPILLER = """
import sys, time
from pathlib import Path
import duckdb
from oneledger.settings import Settings
from oneledger.warehouse.connection import duckdb_config
settings = Settings(Path(sys.argv[1]), memory_limit="60MB", threads=1)
connection = duckdb.connect(":memory:", config=duckdb_config(settings))
connection.execute("set enable_progress_bar = false")
connection.execute("create temp table t as select i, md5(i::varchar) as s from range(1500000) as r (i)")
print(connection.execute("select current_setting('temp_directory')").fetchall()[0][0], flush=True)
time.sleep(60)
"""


def settings_in(folder: Path) -> Settings:
    return Settings(home=folder, memory_limit="64MB", threads=1)


def test_each_database_of_a_process_spills_by_itself_and_a_file_always_in_the_same_place(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    folders = [spill_folder(settings), spill_folder(settings), spill_folder(settings, "warehouse")]
    assert len({*folders, spill_folder(settings, "warehouse")}) == 3
    with duckdb.connect(":memory:", config=dict(duckdb_config(settings))) as connection:
        connection.execute("select 1")
    # DuckDB makes the folder when it spills, so that most connections leave no trace.
    assert [path.suffix for path in (tmp_path / "scratch" / "duckdb").iterdir()] == [".lock"]


def test_what_a_killed_process_spilled_is_removed_and_what_a_living_one_spills_stays(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    spillers = [
        subprocess.Popen(
            [sys.executable, "-c", SPILLER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT
        )
        for _ in range(2)
    ]
    try:
        places = [Path(one.stdout.readline().strip()) for one in spillers if one.stdout]
        assert places[0] != places[1]
        assert all(any(place.iterdir()) for place in places)
        spillers[0].send_signal(signal.SIGKILL)
        spillers[0].wait()
        assert clear_spills_of_the_dead(settings) == [places[0].name]
        assert not places[0].exists()
        assert any(places[1].iterdir())
    finally:
        for one in spillers:
            one.kill()
            one.wait()
    assert clear_leftovers(settings) == [f"scratch/duckdb/{places[1].name}"]
    assert list((tmp_path / "scratch" / "duckdb").iterdir()) == []


def test_a_record_that_was_never_finished_is_removed_once_it_is_stale_and_a_young_one_is_not(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    records = [
        tmp_path / "outcomes" / "2022-10" / ".20221031T000000000000-0a1b2c3d.partial",
        tmp_path / "seals" / "documents" / "ab" / ".abcd.json.partial",
    ]
    for path in records:
        path.parent.mkdir(parents=True)
        path.write_text("{", "utf-8")
    assert clear_leftovers(settings) == []
    for path in records:
        os.utime(path, (1, 1))
    assert len(clear_leftovers(settings)) == 2
    assert not any(path.exists() for path in records)


BOTH_SPILL = """
import sys, duckdb
from pathlib import Path
from oneledger.settings import Settings
from oneledger.warehouse.connection import duckdb_config
settings = Settings(home=Path(sys.argv[1]), memory_limit="120MB", threads=1)
salt = int(sys.argv[2])
with duckdb.connect(":memory:", config=duckdb_config(settings)) as connection:
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"create table t as select i, md5((i * {salt})::varchar) as h from range(1500000) as r(i)")
    wrong = connection.execute(
        f"select count(*), count(*) filter (h <> md5((i * {salt})::varchar)) from (from t order by h limit 1400000)"
    ).fetchone()
    print(*wrong)
"""


def test_two_databases_that_spill_at_once_do_not_touch_each_others_blocks(tmp_path: Path) -> None:
    """In one folder DuckDB 1.5 crashes or mixes them: its files have the same names in each process."""
    both = [
        subprocess.Popen([sys.executable, "-c", BOTH_SPILL, str(tmp_path), salt], stdout=subprocess.PIPE, text=True)
        for salt in ("1", "7")
    ]
    assert [(one.communicate(timeout=300)[0].split(), one.returncode) for one in both] == [(["1400000", "0"], 0)] * 2
