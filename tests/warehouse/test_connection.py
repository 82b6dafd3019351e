"""The warehouse file beside another process: who writes waits for readers, and a reader is told who writes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from oneledger.locks import BusyError
from oneledger.settings import Settings
from oneledger.warehouse import connection as connecting
from oneledger.warehouse.connection import open_warehouse

OPEN = """
import sys, time, duckdb
with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read"):
    print("open", flush=True)
    time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, threads=1)
    settings.warehouse_path.parent.mkdir()
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("create table there (it integer)")
    return settings


def opened_elsewhere(settings: Settings, how: str, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OPEN, str(settings.warehouse_path), how, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def test_a_writer_waits_until_a_reader_of_the_file_has_closed_it(settings: Settings) -> None:
    reader = opened_elsewhere(settings, "read", 0.4)
    with open_warehouse(settings) as connection:
        connection.execute("insert into there values (1)")
    assert reader.wait() == 0


@pytest.mark.parametrize("how", ["read", "write"])
def test_who_cannot_open_the_file_is_told_which_process_has_it(
    settings: Settings, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "_WAIT_SECONDS", {"read": 0.2, "write": 0.2})
    other = opened_elsewhere(settings, "write" if how == "read" else "read", 60)
    try:
        began = time.monotonic()
        with pytest.raises(BusyError, match=f"process {other.pid}"):
            open_warehouse(settings, read_only=how == "read")
        assert time.monotonic() - began < 10
    finally:
        other.kill()
        other.wait()
