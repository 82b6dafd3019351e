"""A task waits for its turn at the warehouse; a part of Airflow that ends is started anew."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from oneledger.settings import Settings
from oneledger.warehouse.lock import WriterBusyError, lock_holder
from oneledger_airflow import supervisor as supervising
from oneledger_airflow import turns
from oneledger_airflow.processes import StartError
from oneledger_airflow.progress import Progress
from oneledger_airflow.supervisor import Supervisor

CONTEXT = {"ti": SimpleNamespace(dag_id="build", task_id="admit")}
HOLD = """
import sys, time
from pathlib import Path
from oneledger.settings import Settings
from oneledger.warehouse.lock import writer_lock
with writer_lock(Settings(home=Path(sys.argv[1])), run_id="a-person", step="release"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def held_by_a_person(home: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(home), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_task_waits_for_who_writes_says_for_whom_and_then_holds_the_warehouse_under_its_own_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    person = held_by_a_person(tmp_path, 0.5)
    settings = Settings(home=tmp_path)
    log = logging.getLogger("task")
    with (
        caplog.at_level(logging.WARNING, "task"),
        turns.warehouse_turn(CONTEXT, settings, run_id="night", step="admit", log=log),
    ):
        holder = lock_holder(settings)
    person.wait()
    assert holder is not None
    assert (holder.command, holder.run_id, holder.pid) == ("airflow build.admit", "night", os.getpid())
    assert "waiting for" in caplog.text
    assert f"process {person.pid}" in caplog.text


def test_a_task_whose_turn_does_not_come_fails_and_names_the_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "WAIT_MINUTES", 0.2 / 60)
    person = held_by_a_person(tmp_path, 60)
    try:
        with (
            pytest.raises(WriterBusyError, match="run a-person, step release"),
            turns.warehouse_turn(CONTEXT, Settings(home=tmp_path), run_id="night", step="admit", log=logging),
        ):
            pytest.fail("two writers at once")
    finally:
        person.kill()
        person.wait()


def test_a_killed_part_is_started_anew_with_all_it_had_ended_and_one_that_keeps_ending_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervising, "RESTARTS", 2)
    airflow = Supervisor(Settings(home=tmp_path), 0, Progress())
    airflow.installation.home.mkdir()
    # A part and a task within it that would go on without it.
    part = [sys.executable, "-c", "import os, time; os.fork(); print('up', flush=True); time.sleep(300)"]
    child = airflow.processes.start("scheduler", part, dict(os.environ))
    try:
        for _ in range(2):
            while child.log_path.read_text().count("up") < 2:
                time.sleep(0.02)
            task = psutil.Process(child.pid).children()[0]
            os.kill(child.pid, signal.SIGKILL)
            child.process.wait()
            airflow.keep_alive()
            assert not task.is_running() or task.status() == psutil.STATUS_ZOMBIE
            (again,) = airflow.processes.children
            assert again.pid != child.pid
            child = again
        assert capsys.readouterr().out.count("scheduler was ended by signal 9; started anew") == 2
        os.kill(child.pid, signal.SIGKILL)
        child.process.wait()
        with pytest.raises(StartError, match="scheduler ended with code -9"):
            airflow.keep_alive()
    finally:
        airflow.processes.stop()
