"""A home of its own for every Airflow that a test starts; Airflow is only imported in other processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest


@dataclass
class Started:
    """A supervisor as a person starts it, with what it has printed so far."""

    process: subprocess.Popen[str]
    home: Path
    lines: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    @property
    def address(self) -> str:
        return self._printed(r"Airflow +(http://\S+)")

    @property
    def password(self) -> str:
        return self._printed(r"password +(\S+)")

    def read_until(self, text: str, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        assert self.process.stdout is not None
        while text not in self.output:
            line = self.process.stdout.readline()
            assert line, f"it ended with {self.process.wait()} before printing {text!r}:\n{self.output}"
            self.lines.append(line)
            assert time.monotonic() < deadline, f"did not print {text!r} in {seconds} s:\n{self.output}"

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self, seconds: float = 60) -> int:
        """Ctrl-C. Returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        self.lines.append(self.process.stdout.read())
        return self.process.wait(timeout=seconds)

    def _printed(self, pattern: str) -> str:
        found = re.search(pattern, self.output)
        assert found, self.output
        return found[1]


def start_up(home: Path, port: int, **environment: str) -> Started:
    process = subprocess.Popen(
        [sys.executable, "-m", "oneledger_airflow.standalone", "up", "--port", str(port)],
        env={**environment_of(home), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Started(process, home)


def environment_of(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "ONELEDGER"))}
    return {**inherited, "ONELEDGER_HOME": str(home), "AIRFLOW_HOME": str(home / "airflow")}


def processes_of(home: Path) -> list[int]:
    """Processes whose environment or command names this home."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("ONELEDGER_HOME") == str(home):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def airflow(home: Path) -> Iterator[Started]:
    """`make up` on a port that this test process holds, so that it has to take the next one."""
    port = unused_port()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        started = start_up(home, port)
        try:
            started.read_until("Ctrl-C ends it")
            yield started
        finally:
            if started.process.poll() is None:
                started.interrupt()
