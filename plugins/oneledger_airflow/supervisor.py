"""Starts Airflow's four parts for this installation, waits until they are well, and ends them again."""

from __future__ import annotations

import contextlib
import datetime as dt
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from types import TracebackType
from typing import Self

from oneledger.locks import BusyError, Held
from oneledger.locks.register import AIRFLOW
from oneledger.settings import ConfigurationError, Settings
from oneledger_airflow.api import AirflowApi
from oneledger_airflow.installation import USER, Installation
from oneledger_airflow.ports import LOOPBACK, choose_port, listening_pid
from oneledger_airflow.processes import Child, ProcessGroup, StartError, end_left_behind
from oneledger_airflow.progress import Progress

HEALTHY_WITHIN_SECONDS = 300
RESTARTS = 5
RESTARTS_WITHIN_SECONDS = 600.0
# The log servers of scheduler and triggerer bind to every address; with LocalExecutor the API server
# reads the same files from disk, so they are not started at all.
PARTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}


class Supervisor:
    """One running Airflow. Use as a context manager: leaving it ends every process, however one leaves.

    ``before_start`` may start what Airflow's parts need first (the synthetic city's server); it ends with them.
    """

    def __init__(
        self,
        settings: Settings,
        wanted_port: int,
        progress: Progress,
        before_start: Callable[[ProcessGroup], None] | None = None,
    ) -> None:
        self.installation = self._installation(settings)
        self.wanted_port = wanted_port
        self.progress = progress
        self.processes = ProcessGroup(self.installation.record_path, self.installation.logs_dir)
        self.before_start = before_start
        self.port = wanted_port
        self.started_at = dt.datetime.now(dt.UTC)
        self.api: AirflowApi
        self._restarted_at: dict[str, list[float]] = {}
        self._lock = contextlib.ExitStack()
        self._held: Held | None = None

    @staticmethod
    def _installation(settings: Settings) -> Installation:
        return Installation(settings)

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        self.installation.prepare()
        self._hold_lock()
        try:
            left = end_left_behind(self.installation.record_path)
            if left:
                self.progress.say(f"ended what an earlier start left behind: {', '.join(left)}")
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def check_alive(self) -> None:
        """Raises StartError when a part has ended."""
        for child in self.processes.ended():
            raise StartError(
                f"{child.name} ended with code {child.process.returncode}. Its last lines:\n{_tail(child)}\n"
                f"The whole log: {child.log_path}"
            )

    def keep_alive(self) -> None:
        """Start a part anew that has ended by itself or was killed, and say so; nobody looks on at night.

        Tasks that ran in it are started again by the scheduler. A part that keeps ending is left ended.

        Raises:
            StartError: a part ended ``RESTARTS`` times within ``RESTARTS_WITHIN_SECONDS``.
        """
        for child in self.processes.ended():
            now = time.monotonic()
            recent = [at for at in self._restarted_at.get(child.name, []) if now - at < RESTARTS_WITHIN_SECONDS]
            if len(recent) >= RESTARTS:
                self.check_alive()
            self._restarted_at[child.name] = [*recent, now]
            code = child.process.returncode
            how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            self.processes.restart(child)
            self.progress.say(f"{child.name} {how}; started anew. Its log until then: {child.log_path}.1")

    def _start(self) -> None:
        if self.before_start is not None:
            self.before_start(self.processes)
        self.port, holders = choose_port(self.wanted_port)
        for holder in holders:
            self.progress.say(f"{holder}; taking the next one")
        self._start_parts()
        self.api = AirflowApi(self.address)
        self._wait_until_healthy()
        self.api.log_in(USER, self.installation.password())
        self._note_address()

    def _start_parts(self) -> None:
        environment = self.installation.environment(self.port)
        self._migrate(environment)
        self.started_at = dt.datetime.now(dt.UTC)
        for name, arguments in PARTS.items():
            self.processes.start(name, [sys.executable, "-m", "airflow", *arguments], environment)

    def _migrate(self, environment: dict[str, str]) -> None:
        target = f"{version('apache-airflow')} {environment['AIRFLOW__DATABASE__SQL_ALCHEMY_CONN'].split('@')[-1]}"
        stamp = self.installation.migrated_path
        is_fresh_file = not (self.installation.home / "airflow.db").exists() and "sqlite" in target
        if stamp.exists() and stamp.read_text() == target and not is_fresh_file:
            return
        with self.progress.step("Airflow's own database"):
            self.installation.logs_dir.mkdir(parents=True, exist_ok=True)
            log_path = self.installation.logs_dir / "migrate.log"
            with log_path.open("wb") as log:
                done = subprocess.run(
                    [sys.executable, "-m", "airflow", "db", "migrate"],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            if done.returncode != 0:
                raise StartError(
                    f"`airflow db migrate` ended with code {done.returncode} on {target}. Its log: {log_path}"
                )
            for path in self.installation.home.glob("airflow.db*"):
                path.chmod(0o600)
            stamp.write_text(target)

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
        with self.progress.step("Airflow") as note:
            while True:
                self.check_alive()
                statuses = self.api.health(self.started_at) if self._is_own_server() else {}
                waiting = [name for name, status in statuses.items() if status != "healthy"]
                if statuses and not waiting:
                    return
                note(f"waiting for {', '.join(waiting) or 'the API server'}")
                if time.monotonic() > deadline:
                    raise StartError(
                        f"not healthy after {HEALTHY_WITHIN_SECONDS} s: {', '.join(waiting) or 'the API server'}. "
                        f"Logs: {self.installation.logs_dir}"
                    )
                time.sleep(0.5)

    def _is_own_server(self) -> bool:
        """Whether the process that listens on the port is ours: a stale server would answer as well."""
        return self.processes.holds(listening_pid(self.port))

    def _stop(self) -> None:
        with _ignoring_more_signals(), self.progress.step("ending every process"):
            self.processes.stop()
        if hasattr(self, "api"):
            self.api.close()
        self._lock.close()

    def _hold_lock(self) -> None:
        try:
            self._held = self._lock.enter_context(
                AIRFLOW.held(self.installation.settings, run_id="airflow", step="still starting")
            )
        except BusyError as error:
            raise ConfigurationError(
                f"{error.problem} Use that one, or end it (Ctrl-C in its terminal) and type the command again; "
                "or set ONELEDGER_HOME to another directory."
            ) from error

    def _note_address(self) -> None:
        assert self._held is not None
        self._held.note(self.address)


def _tail(child: Child, lines: int = 12) -> str:
    return "\n".join(child.log_path.read_text(errors="replace").splitlines()[-lines:])


@contextlib.contextmanager
def _ignoring_more_signals() -> Iterator[None]:
    """Ending takes seconds; an impatient second Ctrl-C must not leave half of it alive."""
    import signal

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, action in zip(numbers, before, strict=True):
            signal.signal(number, action)
