"""``python -m benchmarks users HOME``: many users on pages and API beside a nightly, and what it costs both.

Nights alone and nights beside the users take turns, each loading one more day, so that a history that grows favours
neither. The users are processes of their own on the same machine, at the lowest priority because elsewhere they would
take nothing from it; the nightly runs as it always does, the pages as ``oneledger web`` starts them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.load_plan import find_addresses, make_users, tokens_of
from benchmarks.nightly import RunCost, build_city, run_nightly

Say = Callable[[str], None]
AIM = 1.10
_ROUNDS = 3
_USERS_A_SECOND = 20
# Where `make environment NAME=load` puts the load generator.
LOCUST = Path(__file__).resolve().parents[1] / ".venvs" / "load" / "bin" / "locust"
_LOCUSTFILE = Path(__file__).with_name("load_users.py")


@dataclasses.dataclass(frozen=True)
class Answers:
    """Answers of one kind (``page``, ``api``, ``trace``, ``all``); milliseconds as the users waited."""

    kind: str
    count: int
    failures: int
    median_ms: float
    p95_ms: float
    longest_ms: float


@dataclasses.dataclass(frozen=True)
class LoadCost:
    """One scale: what the users waited, and the nights without and with them.

    Attributes:
        answers: of all rounds together, by kind.
        failed: what the users were told instead of an answer, with how often.
        cores_of_pages: processor seconds of the pages a second of load.
        pages_mib: resident memory of the pages at the end.
    """

    users: int
    seconds: float
    answers: tuple[Answers, ...]
    failed: dict[str, int]
    nights_alone: tuple[RunCost, ...]
    nights_beside: tuple[RunCost, ...]
    cores_of_pages: float
    pages_mib: float

    @property
    def ratio(self) -> float:
        """Median night beside the users over median night alone; the aim is at most 1.1."""
        return _median(self.nights_beside) / _median(self.nights_alone)

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "ratio": self.ratio, "aim": AIM}


@dataclasses.dataclass(frozen=True)
class History:
    """The city that is built under HOME when there is none: its scale and first day; the last days are the nights'."""

    scale: int
    first_day: dt.date
    last_day: dt.date


def measure_load(home: Path, history: History, *, users: int, minutes: float, memory_limit: str, say: Say) -> LoadCost:
    """Load six days one by one, every second one beside the users.

    Raises:
        RuntimeError: the load generator is not installed, or the users' process failed.
    """
    if not LOCUST.exists():
        raise RuntimeError("the load generator is not installed; `make environment NAME=load` installs it")
    last_day = history.last_day
    days = [last_day - dt.timedelta(days=left) for left in reversed(range(2 * _ROUNDS))]
    eve = days[0] - dt.timedelta(days=1)
    build_city(home, history.scale, history.first_day, last_day, say)
    if not (home / "published" / "current").is_dir():
        run_nightly(home, eve, memory_limit, say)
    people = make_users(users)
    alone: list[RunCost] = []
    beside: list[RunCost] = []
    told: list[dict[str, Any]] = []
    processor, watched = 0.0, 0.0
    with _pages(home, people, memory_limit) as (address, server), tempfile.TemporaryDirectory() as scratch:
        plan = Path(scratch) / "plan.json"
        with ExitStack() as clients:
            found = find_addresses(_clients_of_roles(clients, address, people), say)
        plan.write_text(json.dumps({"users": people, "addresses": found}), "utf-8")
        for number in range(_ROUNDS):
            alone.append(run_nightly(home, days[2 * number], memory_limit, say))
            # The night must lie within the load: it is told how long it may take by the one before it.
            seconds = max(60 * minutes, 1.6 * alone[-1].seconds)
            began, used = time.monotonic(), _processor_seconds(server)
            crowd = _Crowd(address, plan, users, seconds)
            time.sleep(users / _USERS_A_SECOND)
            beside.append(run_nightly(home, days[2 * number + 1], memory_limit, say))
            if crowd.is_over:
                say("  the users left before the night was over: its last part ran alone")
            told.append(crowd.told())
            processor += _processor_seconds(server) - used
            watched += time.monotonic() - began
            say(_told(_answers(told[-1:])))
        pages_mib = server.memory_info().rss / 1024**2
    failed: dict[str, int] = {}
    for one in told:
        for error in one["errors"]:
            failed[error["error"]] = failed.get(error["error"], 0) + int(error["count"])
    return LoadCost(
        users, round(watched, 1), tuple(_answers(told)), failed, tuple(alone), tuple(beside),
        round(processor / watched, 2), round(pages_mib),
    )  # fmt: skip


def print_load(cost: LoadCost, say: Say) -> None:
    """The figures of the docs."""
    errors = next(one.failures for one in cost.answers if one.kind == "all")
    say(f"{cost.users} users for {cost.seconds:.0f} s, {errors} errors; the pages took "
        f"{cost.cores_of_pages:.2f} of a core and {cost.pages_mib:,.0f} MiB")  # fmt: skip
    say("| answers | count | errors | median ms | p95 ms | longest ms |\n|---|---|---|---|---|---|")
    for one in cost.answers:
        say(f"| {one.kind} | {one.count:,} | {one.failures} | {one.median_ms:,.0f} | {one.p95_ms:,.0f} "
            f"| {one.longest_ms:,.0f} |")  # fmt: skip
    for error, count in cost.failed.items():
        say(f"{count} × {error}")
    say(f"one more day: {_median(cost.nights_alone):.1f} s alone ({_listed(cost.nights_alone)}), "
        f"{_median(cost.nights_beside):.1f} s beside the users ({_listed(cost.nights_beside)}): ratio {cost.ratio:.2f} "
        f"(aim: at most {AIM})")  # fmt: skip


def _median(nights: tuple[RunCost, ...]) -> float:
    return statistics.median(night.seconds for night in nights)


def _listed(nights: tuple[RunCost, ...]) -> str:
    return ", ".join(f"{night.seconds:.1f}" for night in nights)


class _Crowd:
    """The users, as a process that ends by itself; its report is read while it runs, so that it never waits for us."""

    def __init__(self, address: str, plan: Path, users: int, seconds: float) -> None:
        command = [
            "nice", "-n", "19", str(LOCUST), "--locustfile", str(_LOCUSTFILE), "--host", address, "--headless",
            "--users", str(users), "--spawn-rate", str(_USERS_A_SECOND), "--run-time", f"{seconds:.0f}s",
            "--stop-timeout", "60", "--json", "--loglevel", "ERROR", "--only-summary", "--exit-code-on-error", "0",
        ]  # fmt: skip
        environment = {**os.environ, "ONELEDGER_LOAD_PLAN": str(plan)}
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._output = ("", "")
        self._plan = plan
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def told(self) -> dict[str, Any]:
        """Locust's statistics by kind of answer, and its errors; waits until all users have left."""
        self._reader.join()
        if self._process.returncode:
            raise RuntimeError(f"the users' process ended with {self._process.returncode}: {self._output[1][-2000:]}")
        # Locust prints its statistics as a list after what else it says.
        stats = json.loads(self._output[0][self._output[0].index("[") :])
        return {"stats": stats, "errors": json.loads(self._plan.with_name("errors.json").read_text("utf-8"))}

    def _read(self) -> None:
        self._output = self._process.communicate()


def _answers(told: list[dict[str, Any]]) -> list[Answers]:
    """The rounds together, by kind and in all, from the histograms of the waiting times."""
    waited: dict[str, dict[float, int]] = {"all": {}}
    failures: dict[str, int] = {"all": 0}
    for entry in (one for report in told for one in report["stats"]):
        for kind in (entry["name"], "all"):
            failures[kind] = failures.get(kind, 0) + int(entry["num_failures"])
            histogram = waited.setdefault(kind, {})
            for milliseconds, count in entry["response_times"].items():
                histogram[float(milliseconds)] = histogram.get(float(milliseconds), 0) + int(count)
    return [
        Answers(kind, sum(one.values()), failures[kind], _quantile(one, 0.5), _quantile(one, 0.95), max(one, default=0))
        for kind, one in sorted(waited.items())
    ]


def _quantile(histogram: Mapping[float, int], share: float) -> float:
    wanted, seen = share * sum(histogram.values()), 0
    for milliseconds in sorted(histogram):
        seen += histogram[milliseconds]
        if seen >= wanted:
            return milliseconds
    return 0.0


def _told(answers: list[Answers]) -> str:
    whole = next(one for one in answers if one.kind == "all")
    return f"  users: {whole.count:,} answers, {whole.failures} errors, p95 {whole.p95_ms:,.0f} ms"


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _pages(home: Path, people: list[dict[str, str]], memory_limit: str) -> Iterator[tuple[str, psutil.Process]]:
    environment = {
        **os.environ,
        "ONELEDGER_HOME": str(home.resolve()),
        "ONELEDGER_MEMORY_LIMIT": memory_limit,
        "ONELEDGER_WEB_TOKENS": tokens_of(people),
    }
    environment.pop("ONELEDGER_WEB_RATE", None)
    command = [str(Path(sys.executable).with_name("oneledger")), "web", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = next(word for word in server.stdout.readline().split() if word.startswith("http://"))
            yield address.rstrip("/"), psutil.Process(server.pid)
        finally:
            server.terminate()


def _clients_of_roles(stack: ExitStack, address: str, people: list[dict[str, str]]) -> dict[str, httpx.Client]:
    """A client of each role; each of several people in turn, because the API counts by person."""
    clients = {}
    for role in sorted({user["role"] for user in people}):
        tokens = [user["token"] for user in people if user["role"] == role]
        clients[role] = stack.enter_context(
            httpx.Client(base_url=address, auth=_InTurn(tokens), timeout=120, trust_env=False)
        )
    return clients


class _InTurn(httpx.Auth):
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._number = 0

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        self._number += 1
        request.headers["Authorization"] = f"Bearer {self._tokens[self._number % len(self._tokens)]}"
        yield request
