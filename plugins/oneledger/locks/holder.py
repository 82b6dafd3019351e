"""Who holds a lock: user, machine, process, command, run and since when; and whether that process still lives."""

from __future__ import annotations

import contextlib
import datetime as dt
import getpass
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from oneledger.outcomes import utc_now
from oneledger.settings import CITY_TIMEZONE

# Clocks of two readings of one start differ by less; a process id is not given out again so quickly.
_SAME_START_SECONDS = 2.0
_COMMAND_WORDS = 4

_command: ContextVar[str | None] = ContextVar("command", default=None)


@dataclass(frozen=True)
class LockHolder:
    """Who holds a lock, as its file says.

    Attributes:
        pid: the process; with ``process_started_at`` (epoch seconds) it is told from a later one with the same id.
        host: the machine.
        run_id: the run on whose behalf it is held.
        step: what it is doing.
        since: UTC, ISO 8601.
        user: the account under which the process runs.
        command: what was started, without its options: they may hold what is nobody's business.
    """

    pid: int
    host: str
    run_id: str
    step: str
    since: str
    user: str = ""
    command: str = ""
    process_started_at: float | None = None

    @property
    def since_in_city(self) -> str:
        """The instant on the city's clock, ``2026-11-26 02:10:03``."""
        return f"{dt.datetime.fromisoformat(self.since).astimezone(CITY_TIMEZONE):%Y-%m-%d %H:%M:%S}"

    @property
    def is_alive(self) -> bool | None:
        """Whether the process still lives; None when it runs on another machine and cannot be seen from here."""
        if self.host != socket.gethostname():
            return None
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            started_at = process.create_time()
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
        return self.process_started_at is None or abs(started_at - self.process_started_at) <= _SAME_START_SECONDS

    @property
    def alive_words(self) -> str:
        return {True: "still alive", False: "no longer alive", None: "on another machine, not seen from here"}[
            self.is_alive
        ]

    def __str__(self) -> str:
        command = f"`{self.command}`, " if self.command else ""
        user = f" of user {self.user}" if self.user else ""
        return (
            f"run {self.run_id}, step {self.step} ({command}process {self.pid}{user} on {self.host}, "
            f"{self.alive_words}) since {self.since_in_city} {CITY_TIMEZONE.key}"
        )

    def to_json(self) -> dict[str, object]:
        """As ``oneledger status --json`` shows it."""
        return {**asdict(self), "since_in_city": self.since_in_city, "is_alive": self.is_alive}

    def to_text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def this_holder(run_id: str, step: str) -> LockHolder:
    """This process, from now on."""
    return LockHolder(
        pid=os.getpid(),
        host=socket.gethostname(),
        run_id=run_id,
        step=step,
        since=utc_now().isoformat(timespec="seconds"),
        user=_user(),
        command=_command.get() or _started_as(),
        process_started_at=psutil.Process().create_time(),
    )


def parse_holder(text: str) -> LockHolder | None:
    """What a lock file says; None when it says nothing whole. What a later release adds is passed over."""
    try:
        found = json.loads(text)
        known = {one.name for one in fields(LockHolder)}
        return LockHolder(**{name: value for name, value in found.items() if name in known})
    except (ValueError, TypeError, AttributeError):
        # Between taking the lock and writing the name the file is empty.
        return None


@contextlib.contextmanager
def acting_as(command: str) -> Iterator[None]:
    """Locks taken while the block runs name this command: a task of Airflow, say, whose process has another name."""
    token = _command.set(command)
    try:
        yield
    finally:
        _command.reset(token)


def _started_as() -> str:
    """The command line up to its first option: what follows may be a person's name, a reason or an address."""
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    if program == "__main__.py":
        program = f"python -m {Path(sys.argv[0]).parent.name}"
    words = [program]
    for word in sys.argv[1 : 1 + _COMMAND_WORDS]:
        if word.startswith("-"):
            break
        words.append(word)
    return " ".join(words)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return str(os.getuid())
