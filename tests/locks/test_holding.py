"""A lock file under a crowd: at most one within, nobody lost, and the dead hold nothing."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from oneledger.locks import BusyError, LockHolder, hold, holder_of
from oneledger.locks.holder import acting_as, parse_holder
from oneledger.settings import ConfigurationError

FORK = multiprocessing.get_context("fork")
ROUNDS = 12


def refusal(path: Path, holder: LockHolder | None) -> BusyError:
    return BusyError("The thing is held", "One at a time.", path, holder)


def note(log: Path, word: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {os.getpid()}\n".encode())
    os.close(descriptor)


def crowd_member(path: Path, log: Path, seed: int, patience: float) -> None:
    """Enter so often, with and without patience; each visit leaves two lines, each refusal one."""
    draw = random.Random(seed)
    for _ in range(ROUNDS):
        try:
            with hold(path, refusal, run_id=f"member {seed}", step="visit", wait_seconds=patience):
                note(log, "enter")
                time.sleep(draw.random() * 0.004)
                note(log, "leave")
        except BusyError:
            note(log, "refused")
        if draw.random() < 0.5:
            holder_of(path)  # who only looks keeps nobody out


@pytest.mark.parametrize("seed", [1, 2])
def test_of_many_processes_at_most_one_is_within_and_none_is_lost_though_some_are_killed(
    tmp_path: Path, seed: int
) -> None:
    path, log = tmp_path / "lock", tmp_path / "log"
    draw = random.Random(seed)
    members = [
        FORK.Process(target=crowd_member, args=(path, log, seed * 100 + number, 60.0 if number % 4 else 0.0))
        for number in range(8)
    ]
    for member in members:
        member.start()
    victims = draw.sample(members, 2)
    time.sleep(0.1)
    for victim in victims:
        victim.kill()  # SIGKILL; one that has ended already is left alone
    for member in members:
        member.join(timeout=120)
    survivors = [member for member in members if member not in victims]
    assert [member.exitcode for member in survivors] == [0] * len(survivors)

    killed = {str(victim.pid) for victim in victims}
    within: str | None = None
    for line in log.read_text().splitlines():
        word, pid = line.split()
        if word == "enter":
            assert within is None or within in killed, f"{pid} came in while {within} was within"
            within = pid
        elif word == "leave":
            assert within == pid
            within = None
    lines = log.read_text().splitlines()
    for number, member in enumerate(members):
        if member not in victims:
            visits = lines.count(f"leave {member.pid}")
            refused = lines.count(f"refused {member.pid}")
            assert visits + refused == ROUNDS
            assert refused == 0 or number % 4 == 0, "who waits is not refused"
    assert holder_of(path) is None


def held_elsewhere(path: Path) -> tuple[multiprocessing.process.BaseProcess, Callable[[], None]]:
    """The lock in another process, and how to end that process."""
    ready = FORK.Event()

    def keep() -> None:
        with hold(path, refusal, run_id="theirs", step="write"):
            ready.set()
            time.sleep(60)

    process = FORK.Process(target=keep)
    process.start()
    assert ready.wait(20)

    def end() -> None:
        process.kill()
        process.join()

    return process, end


def test_the_refusal_names_user_machine_process_command_run_and_city_time_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process, end = held_elsewhere(path)
    try:
        began = time.monotonic()
        with pytest.raises(BusyError) as refused, hold(path, refusal, run_id="mine", step="write"):
            pytest.fail("two at once")
        assert time.monotonic() - began < 2, "at once"
        holder = holder_of(path)
        assert holder is not None
        message = str(refused.value)
        for part in (
            holder.user, socket.gethostname(), f"process {process.pid}", holder.command, "run theirs", "still alive",
            f"since {holder.since_in_city} Asia/Shanghai", "Wait until", "oneledger status", str(path),
        ):  # fmt: skip
            assert part and part in message, part
        assert refused.value.to_json()["items"][0]["holder"]["pid"] == process.pid
    finally:
        end()


def test_who_waits_gets_the_lock_when_the_holder_dies_and_is_told_whom_it_waits_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process, end = held_elsewhere(path)
    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        end()

    with hold(path, refusal, run_id="mine", step="write", wait_seconds=30, say=say):
        holder = holder_of(path)
    assert holder is not None
    assert (holder.run_id, holder.pid) == ("mine", os.getpid())
    assert len(told) == 1
    assert f"process {process.pid}" in told[0]


def test_a_name_that_a_killed_holder_left_in_the_file_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process, end = held_elsewhere(path)
    end()
    left = parse_holder(path.read_text())
    assert left is not None
    assert left.pid == process.pid
    assert left.is_alive is False
    assert holder_of(path) is None
    with hold(path, refusal, run_id="mine", step="write"):
        pass


def test_a_later_process_with_the_same_id_is_not_taken_for_the_holder() -> None:
    started_at = psutil.Process().create_time()
    mine = LockHolder(os.getpid(), socket.gethostname(), "run", "step", "2026-11-26T00:00:00+00:00")
    assert LockHolder(**{**mine.__dict__, "process_started_at": started_at}).is_alive is True
    assert LockHolder(**{**mine.__dict__, "process_started_at": started_at - 3600}).is_alive is False
    elsewhere = LockHolder(**{**mine.__dict__, "host": "another-machine"})
    assert elsewhere.is_alive is None
    assert "on another-machine, on another machine, not seen from here" in str(elsewhere)


def test_a_process_forked_within_the_block_neither_holds_the_lock_nor_keeps_it_when_its_parent_dies(
    tmp_path: Path,
) -> None:
    path, told, seen = tmp_path / "lock", tmp_path / "told", tmp_path / "seen"

    def parent() -> None:
        with hold(path, refusal, run_id="theirs", step="write"):
            if os.fork() == 0:
                try:
                    with hold(path, refusal, run_id="theirs", step="inner"):
                        told.write_text("let in")
                except BusyError:
                    told.write_text("refused")
                for _ in range(3_000):  # it outlives its parent
                    if seen.exists():
                        break
                    time.sleep(0.01)
                os._exit(0)
            while not told.exists() or not told.read_text():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)

    process = FORK.Process(target=parent)
    process.start()
    os.waitpid(process.pid, 0)  # type: ignore[arg-type]
    try:
        assert told.read_text() == "refused"
        with hold(path, refusal, run_id="mine", step="write"):
            pass
    finally:
        seen.touch()


def test_only_looking_never_gets_a_writer_refused(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()

    def look() -> None:
        while True:
            holder_of(path)

    watchers = [FORK.Process(target=look, daemon=True) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(100):
            with hold(path, refusal, run_id="mine", step="write"):
                pass
    finally:
        for watcher in watchers:
            watcher.kill()
            watcher.join()


def test_a_lock_file_that_is_removed_while_one_waits_is_not_held_under_its_old_name(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    _, end = held_elsewhere(path)

    def say(_: str) -> None:
        path.unlink()
        end()

    with hold(path, refusal, run_id="mine", step="write", wait_seconds=30, say=say):
        assert path.exists()
        holder = holder_of(path)
    assert holder is not None
    assert holder.run_id == "mine"


def test_a_lock_file_of_another_account_says_that_the_home_belongs_to_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch(0o444)
    if os.access(path, os.W_OK):
        pytest.skip("this account may write everything")
    with pytest.raises(ConfigurationError, match="belongs to one account"), hold(path, refusal, run_id="m", step="s"):
        pytest.fail("held without a name in it")


def test_the_command_in_the_file_ends_at_the_first_option_so_that_no_name_or_secret_gets_in(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from oneledger.locks.holder import this_holder;"
        "sys.argv = ['/opt/bin/oneledger', 'evaluate', 'confirm', 'newest', '--name', 'Wang Secret'];"
        "print(this_holder('r', 's').command)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "oneledger evaluate confirm newest"
    with acting_as("airflow build.admit"), hold(tmp_path / "lock", refusal, run_id="mine", step="write") as held:
        assert held.holder.command == "airflow build.admit"
