"""Children end with their supervisor, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from oneledger_airflow.processes import ProcessGroup, end_left_behind, end_sessions

# A parent that ignores being asked, with a child in a process group of its own, as Airflow's tasks are.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
print("ready", flush=True)
time.sleep(300)
"""
SUPERVISOR = """
import sys, time
from pathlib import Path
from oneledger_airflow.processes import ProcessGroup
group = ProcessGroup(Path(sys.argv[1]) / "processes.json", Path(sys.argv[1]))
child = group.start("part", [sys.executable, "-c", sys.argv[2]], {"PATH": "/usr/bin:/bin"})
print(child.pid, flush=True)
time.sleep(300)
"""


def members(session: int) -> list[int]:
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found


def wait_for(condition, seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_child_is_started_again_without_what_it_left_behind(tmp_path: Path) -> None:
    group = ProcessGroup(tmp_path / "processes.json", tmp_path)
    command = [sys.executable, "-c", STUBBORN]
    child = group.start("part", command, dict(os.environ))
    wait_for(lambda: len(members(child.pid)) == 2 and child.log_path.read_text().count("ready") == 2)
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: [one.name for one in group.ended()] == ["part"])
    again = group.restart(child)
    try:
        assert members(child.pid) == []
        assert group.children == [again] and again.pid != child.pid
        assert group.ended() == []
    finally:
        end_sessions({again.pid: again.started_at})


def test_stopping_ends_grandchildren_that_ignore_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oneledger_airflow.processes.GRACE_SECONDS", 0.5)
    group = ProcessGroup(tmp_path / "processes.json", tmp_path)
    child = group.start("part", [sys.executable, "-c", STUBBORN], dict(os.environ))
    wait_for(lambda: len(members(child.pid)) == 2 and child.log_path.read_text().count("ready") == 2)
    session = child.pid

    group.stop()

    assert members(session) == []
    assert not (tmp_path / "processes.json").exists()


def test_the_next_start_ends_what_a_killed_supervisor_left_behind(tmp_path: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path), STUBBORN], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    session = int(supervisor.stdout.readline())
    wait_for(lambda: (tmp_path / "part.log").read_text().count("ready") == 2)
    supervisor.kill()
    supervisor.wait()
    assert len(members(session)) == 2

    assert end_left_behind(tmp_path / "processes.json") == ["part"]

    assert members(session) == []
    assert end_left_behind(tmp_path / "processes.json") == []


def test_a_part_that_listens_to_signals_ends_by_itself_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    polite = "import time; time.sleep(300)"
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path), polite], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    session = int(supervisor.stdout.readline())
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    wait_for(lambda: members(session) == [])


def test_a_record_whose_process_id_was_given_to_another_process_ends_nothing(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    try:
        record = tmp_path / "processes.json"
        record.write_text(f'[{{"name": "part", "pid": {stranger.pid}, "started_at": 1000.0}}]')
        assert end_left_behind(record) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_log_is_readable_by_its_owner_only_and_the_one_before_is_kept(tmp_path: Path) -> None:
    group = ProcessGroup(tmp_path / "processes.json", tmp_path)
    for text in ("first", "second"):
        child = group.start("part", [sys.executable, "-c", f"print('{text}')"], dict(os.environ))
        child.process.wait()
        group.stop()
    assert (tmp_path / "part.log").read_text() == "second\n"
    assert (tmp_path / "part.log.1").read_text() == "first\n"
    assert (tmp_path / "part.log").stat().st_mode & 0o777 == 0o600
