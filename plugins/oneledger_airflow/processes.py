"""Child processes that never outlive us: each in a session of its own, the whole session ended with us.

Airflow's parts fork workers, which fork tasks, which start programs; a signal to the parent reaches few
of them. They all stay in the session of the part that we started, so the session is what we end.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1
# Idle parts end within four seconds. The rest wait for tasks, which any later run repeats, so it is not worth more.
GRACE_SECONDS = 5.0


class StartError(Exception):
    """A part did not come up; the message says which, why, and where its log is."""


@dataclass
class Child:
    """One part that we started. ``started_at`` (epoch seconds) tells it from a later process with the same id."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path
    started_at: float
    command: list[str] = field(repr=False)
    environment: dict[str, str] = field(repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid


@dataclass
class ProcessGroup:
    """Starts children, keeps a record of them on disk, and ends all of their sessions.

    Attributes:
        record_path: where the children are written down, so that the next start can end what a killed
            supervisor left behind.
        logs_dir: one ``<name>.log`` a child; the one before is kept as ``<name>.log.1``.
    """

    record_path: Path
    logs_dir: Path
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> Child:
        """Start ``command`` in its own session, output to its log file."""
        self.logs_dir.mkdir(parents=True, exist_ok=True)
        log_path = self.logs_dir / f"{name}.log"
        if log_path.exists():
            log_path.replace(log_path.with_suffix(".log.1"))
        with log_path.open("wb") as log:
            log_path.chmod(0o600)
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent(os.getpid()),
            )
        child = Child(name, process, log_path, psutil.Process(process.pid).create_time(), command, environment)
        self.children.append(child)
        self._record()
        return child

    def ended(self) -> list[Child]:
        """The children that are no longer alive."""
        return [child for child in self.children if child.process.poll() is not None]

    def restart(self, child: Child) -> Child:
        """Start a part anew that has ended, after ending whatever it started: two of one kind would share its work."""
        end_sessions({child.pid: child.started_at})
        child.process.wait(timeout=10)
        self.children.remove(child)
        return self.start(child.name, child.command, child.environment)

    def holds(self, pid: int | None) -> bool:
        """Whether the process ``pid`` belongs to one of our children's sessions."""
        if pid is None:
            return False
        try:
            return os.getsid(pid) in {child.pid for child in self.children}
        except ProcessLookupError:
            return False

    def stop(self) -> None:
        """End every process of every child's session: asked first, killed after a grace period.

        Raises:
            RuntimeError: a process is still there after SIGKILL (it hangs in the kernel).
        """
        sessions = {child.pid: child.started_at for child in self.children}
        for child in self.children:
            _signal(child.pid, signal.SIGTERM)
        _wait_until_gone(sessions, GRACE_SECONDS, self.children)
        end_sessions(sessions)
        for child in self.children:
            child.process.wait(timeout=10)
        self.children.clear()
        self.record_path.unlink(missing_ok=True)

    def _record(self) -> None:
        rows = [{"name": child.name, "pid": child.pid, "started_at": child.started_at} for child in self.children]
        partial = self.record_path.with_suffix(".partial")
        partial.write_text(json.dumps(rows))
        partial.replace(self.record_path)


def end_left_behind(record_path: Path) -> list[str]:
    """End what a supervisor that was killed left behind; returns the names of the parts found alive."""
    if not record_path.exists():
        return []
    try:
        rows = json.loads(record_path.read_text())
    except ValueError:  # killed while writing: the rename is atomic, so this file is not ours
        rows = []
    sessions = {int(row["pid"]): float(row["started_at"]) for row in rows}
    alive = {_session_of(process) for process in _members(sessions)}
    end_sessions(sessions)
    record_path.unlink(missing_ok=True)
    return [row["name"] for row in rows if row["pid"] in alive]


def end_sessions(sessions: dict[int, float]) -> None:
    """Kill every process of the sessions (id → start time of its leader) until none is left."""
    deadline = time.monotonic() + 10
    while members := _members(sessions):
        for process in members:
            _signal(process.pid, signal.SIGKILL)
        psutil.wait_procs(members, timeout=1)
        if time.monotonic() > deadline:
            left = ", ".join(f"{process.pid} ({process.name()})" for process in members)
            raise RuntimeError(f"these processes do not end, even when killed: {left}. Look at them with: ps -fp <pid>")


def _members(sessions: dict[int, float]) -> list[psutil.Process]:
    """The living processes of the sessions, except those of a later session with a reused id."""
    wanted = {session: at for session, at in sessions.items() if not _is_reused(session, at)}
    return [
        process
        for process in psutil.process_iter(["status", "create_time"])
        if (session := _session_of(process)) in wanted
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.info["create_time"] >= wanted[session] - 1
    ]


def _is_reused(session: int, started_at: float) -> bool:
    try:
        return abs(psutil.Process(session).create_time() - started_at) > 1
    except psutil.NoSuchProcess:
        return False


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def _wait_until_gone(sessions: dict[int, float], seconds: float, children: Iterable[Child]) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for child in children:
            child.process.poll()  # reap, so that an ended child is not seen as alive
        if not _members(sessions):
            return
        time.sleep(0.2)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has ended meanwhile, which is what we want


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """Run in the child: ask the kernel for SIGTERM when the supervisor dies, however it dies (Linux)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def set_death_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died between fork and here
            os._exit(1)

    return set_death_signal
