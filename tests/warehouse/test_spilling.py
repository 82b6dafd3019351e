"""Each database instance spills into a folder of its own; what the killed left is swept."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from oneledger.settings import Settings
from oneledger.warehouse import spilling
from oneledger.warehouse.connection import duckdb_config
from oneledger.warehouse.spilling import spill_directory

SPILL = """
import sys, duckdb
from pathlib import Path
from oneledger.settings import Settings
from oneledger.warehouse.connection import duckdb_config
settings = Settings(home=Path(sys.argv[1]), memory_limit="40MB", threads=1)
salt = int(sys.argv[2])
with duckdb.connect(":memory:", config=duckdb_config(settings)) as connection:
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"create table t as select i, md5((i * {salt})::varchar) as h from range(700000) as r(i)")
    wrong = connection.execute(
        f"select count(*), count(*) filter (h <> md5((i * {salt})::varchar)) from (from t order by h limit 600000)"
    ).fetchone()
    print(*wrong)
"""


def test_two_databases_that_spill_at_once_do_not_touch_each_others_blocks(tmp_path: Path) -> None:
    """In one folder DuckDB 1.5 crashes or mixes them: its files have the same names in each process."""
    both = [
        subprocess.Popen([sys.executable, "-c", SPILL, str(tmp_path), salt], stdout=subprocess.PIPE, text=True)
        for salt in ("1", "7")
    ]
    assert [(one.communicate(timeout=300)[0].split(), one.returncode) for one in both] == [(["600000", "0"], 0)] * 2


def test_instances_have_different_folders_and_connections_to_one_file_share_theirs(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first, second = (duckdb_config(settings)["temp_directory"] for _ in range(2))
    assert first != second
    assert duckdb_config(settings, "warehouse") == duckdb_config(settings, "warehouse")
    queue = multiprocessing.get_context("fork").SimpleQueue()
    if (child := os.fork()) == 0:
        queue.put(str(spill_directory(settings, "warehouse")))
        os._exit(0)
    os.waitpid(child, 0)
    assert queue.get() != str(spill_directory(settings, "warehouse"))


def test_what_a_killed_process_spilled_is_removed_by_the_next_one_and_what_others_spill_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spilling, "_swept", set())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = tmp_path / "scratch" / "duckdb"
    dead, alive, elsewhere = (
        folder / f"{host}-{pid}-1"
        for host, pid in (
            (socket.gethostname(), ended.pid),
            (socket.gethostname(), os.getpid()),
            ("another-machine", ended.pid),
        )
    )
    for path in (dead, alive, elsewhere):
        path.mkdir(parents=True)
        (path / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"spilled")
    spill_directory(Settings(home=tmp_path))
    assert sorted(folder.iterdir()) == sorted([alive, elsewhere])
