"""Two at once, cleared tasks and killed parts, in a real Airflow: the marts are those of an undisturbed night."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from oneledger.landing import list_batches
from oneledger.locks.register import held_now
from oneledger.publishing.versions import PublishedVersion, current_version, list_versions
from oneledger.settings import Settings
from oneledger_airflow.api import AirflowApi
from oneledger_airflow.installation import USER, Installation
from oneledger_airflow.nightly_watch import Nightly
from tests.orchestration.conftest import Started, environment_of, processes_of, start_up, unused_port

# Each test carries a night or two through; on a machine that has much else to do that takes its time.
pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.timeout(7_200)]

FIRST, LAST = dt.date(2022, 9, 1), dt.date(2022, 10, 28)
SOURCES = ["irs", "project_library", "zheliban", "zhezhengding", "finance"]
LIMIT_SECONDS = 3_000
ONELEDGER = str(Path(sys.executable).with_name("oneledger"))


def oneledger(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ONELEDGER, *words],
        env={**environment_of(home), **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )


def built(home: Path, last: dt.date) -> None:
    done = oneledger(home, "city", "build", "--from", f"{FIRST}", "--to", f"{last}")
    assert done.returncode == 0, done.stderr


def wait_until(what: str, condition: Callable[[], Any], seconds: float = LIMIT_SECONDS, pause: float = 0.5) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause)
    return found


@dataclass
class Undisturbed:
    """A home in which each night is one `oneledger run`; what it publishes is what must come elsewhere too."""

    home: Path
    hashes: dict[dt.date, str] = field(default_factory=dict)

    def hash_of(self, last: dt.date) -> str:
        """The content hash after the night that brings everything up to this day."""
        if last not in self.hashes:
            built(self.home, last)
            with served(self.home):
                done = oneledger(self.home, "run", "--as-of", f"{last}", "--json", **connections(self.home))
            answer = json.loads(done.stdout)
            assert answer["content_hash"], answer
            self.hashes[last] = answer["content_hash"]
        return self.hashes[last]


def connections(home: Path) -> dict[str, str]:
    from oneledger.city.connections_file import read_connections

    return read_connections(home / "city")


@contextlib.contextmanager
def served(home: Path) -> Iterator[None]:
    path = home / "city" / "connections.env"
    before = path.stat().st_mtime_ns
    server = subprocess.Popen([ONELEDGER, "city", "serve"], env=environment_of(home), stderr=subprocess.DEVNULL)
    try:
        wait_until("the city's API", lambda: path.stat().st_mtime_ns != before, 180)
        yield
    finally:
        server.kill()
        server.wait()


@dataclass
class Disturbed:
    """A home with `make up` in it, night after night, and what is done to it meanwhile."""

    home: Path
    last: dt.date = LAST
    up: Started | None = None
    api: AirflowApi | None = None

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home)

    def begin(self, last: dt.date) -> None:
        """A city up to this day, and `make up` on it."""
        self.end()
        self.last = last
        built(self.home, last)
        self.up = start_up(self.home, unused_port())
        self.up.read_until("Ctrl-C ends it", LIMIT_SECONDS)
        self.api = AirflowApi(self.up.address)
        self.api.log_in(USER, self.up.password)
        wait_until("the DAGs", lambda: {"build", "publish", *self.ingests} <= set(self.told(self.api.dags) or {}))
        for dag_id in (*self.ingests, "build", "publish"):
            self.api.unpause(dag_id)
        # A cleared ingestion, and a second night beside the first, leave events that count as arrivals of the next
        # night: its build would begin without waiting for those sources (docs/concurrency.md, The schedule).
        self.api.forget_waiting_events("build")

    def end(self) -> None:
        if self.up is not None and self.up.process.poll() is None:
            self.up.interrupt(120)

    @property
    def ingests(self) -> list[str]:
        return [f"ingest_{source}" for source in SOURCES]

    def told(self, ask: Callable[..., Any], *words: Any) -> Any:
        """What the API answers; None while it is being started anew."""
        try:
            return ask(*words)
        except httpx.HTTPError:
            return None

    def start_night(self) -> Nightly:
        assert self.api is not None
        night = Nightly(SOURCES)
        for dag_id in self.ingests:
            self.api.trigger(dag_id, night.airflow_run_id, night.due_at, {})
        return night

    def task_state(self, dag_id: str, task_id: str, since: dt.datetime) -> str | None:
        assert self.api is not None
        for run in self.told(self.api.runs_since, dag_id, since) or []:
            for task in self.told(self.api.tasks, dag_id, run["dag_run_id"]) or []:
                if task["task_id"] == task_id:
                    return str(task["state"])
        return None

    def wait_until_published(self, night: Nightly) -> PublishedVersion:
        """Until the night's publication has ended, by whichever try, and nothing is under way."""
        wait_until(
            f"published; {self.tail()}", lambda: self.task_state("publish", "publish", night.due_at) == "success"
        )
        self.wait_until_quiet()
        version = current_version(self.settings)
        assert version is not None
        return version

    def wait_until_quiet(self) -> None:
        assert self.api is not None
        calm = 0

        def is_calm() -> bool:
            nonlocal calm
            runs = [self.told(self.api.runs_under_way, dag) for dag in (*self.ingests, "build", "publish")]  # type: ignore[union-attr]
            calm = calm + 1 if runs == [[]] * len(runs) else 0
            return calm >= 4

        wait_until(f"every run has ended; {self.tail()}", is_calm, pause=1)

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """As a person clears one task on Airflow's pages, without those after it."""
        assert self.api is not None
        body = {
            "dag_run_id": run_id, "task_ids": [task_id], "include_downstream": False, "include_upstream": False,
            "only_failed": False, "dry_run": False, "reset_dag_runs": True,
        }  # fmt: skip
        self.api._client.post(f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body).raise_for_status()

    def part(self, name: str) -> int:
        rows = json.loads(Installation(self.settings).record_path.read_text())
        return int(next(row["pid"] for row in rows if row["name"] == name))

    def tail(self) -> str:
        return f"logs in {self.home / 'airflow' / 'logs'}"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disturbed]:
    disturbed = Disturbed(tmp_path_factory.mktemp("disturbed"))
    yield disturbed
    disturbed.end()
    assert processes_of(disturbed.home) == []


def must_be_whole(disturbed: Disturbed, version: PublishedVersion, content_hash: str) -> None:
    """The marts of the undisturbed night; each delivery once; no lock, no half of anything."""
    assert version.content_hash == content_hash
    batches = list_batches(disturbed.settings)
    assert len({batch.batch_id for batch in batches}) == len(batches)
    assert len({(batch.source, batch.entity, batch.partition, batch.payload_hash) for batch in batches}) == len(batches)
    assert [one for one in held_now(disturbed.settings) if one["name"] != "airflow"] == []
    assert list(disturbed.settings.published_dir.glob(".partial-*")) == []


def killed_at(disturbed: Disturbed, part: str, dag_id: str, task_id: str) -> tuple[Nightly, int]:
    """A night in which a part is killed while a task is running; the part is there again."""
    night = disturbed.start_night()
    wait_until(
        f"{dag_id}.{task_id} is running; {disturbed.tail()}",
        lambda: disturbed.task_state(dag_id, task_id, night.due_at) == "running",
        pause=0.2,
    )
    pid = disturbed.part(part)
    os.kill(pid, signal.SIGKILL)
    wait_until(f"{part} is started anew", lambda: disturbed.part(part) != pid, 60)
    assert psutil.pid_exists(disturbed.part(part))
    return night, pid


def test_a_scheduler_killed_while_the_models_are_built_is_started_anew_and_the_night_completes_alone(
    airflow_home: Disturbed, undisturbed: Undisturbed
) -> None:
    expected = undisturbed.hash_of(LAST)
    airflow_home.begin(LAST)
    night, _ = killed_at(airflow_home, "scheduler", "build", "build_models")
    version = airflow_home.wait_until_published(night)
    must_be_whole(airflow_home, version, expected)


def test_each_task_cleared_and_run_again_alone_gives_the_same_marts_and_doubles_nothing(
    airflow_home: Disturbed,
) -> None:
    before = current_version(airflow_home.settings)
    assert before is not None
    assert airflow_home.api is not None
    batches = len(list_batches(airflow_home.settings))
    versions = len(list_versions(airflow_home.settings))
    runs = {
        dag_id: airflow_home.api.runs_since(dag_id, dt.datetime.now(dt.UTC) - dt.timedelta(hours=3))[-1]["dag_run_id"]
        for dag_id in ("ingest_irs", "build", "publish")
    }
    for dag_id, tasks in {
        "ingest_irs": ["ingest"],
        "build": ["arrivals", "admit", "gate_sources", "build_models", "gate_marts"],
        "publish": ["publish", "run_end"],
    }.items():
        for task_id in tasks:
            airflow_home.clear(dag_id, runs[dag_id], task_id)
            time.sleep(1)
            airflow_home.wait_until_quiet()
            states = {one["task_id"]: one["state"] for one in airflow_home.api.tasks(dag_id, runs[dag_id])}
            assert states[task_id] == "success" or task_id == "run_end", states
            must_be_whole(airflow_home, current_version(airflow_home.settings) or before, before.content_hash)
    assert len(list_batches(airflow_home.settings)) == batches
    assert len(list_versions(airflow_home.settings)) == versions


def test_a_night_started_by_hand_and_commands_beside_the_night_are_refused_or_take_turns(
    airflow_home: Disturbed, undisturbed: Undisturbed
) -> None:
    day = LAST + dt.timedelta(days=1)
    expected = undisturbed.hash_of(day)
    airflow_home.begin(day)
    night = airflow_home.start_night()
    second = Nightly(SOURCES)
    for dag_id in airflow_home.ingests:
        assert airflow_home.api is not None
        airflow_home.api.trigger(dag_id, second.airflow_run_id, second.due_at, {})
    answers: list[tuple[int, str]] = []

    def is_published() -> bool:
        for words in (
            ("run", "--as-of", f"{day}", "--json"),
            ("retention", "apply", "--name", "Wang", "--reason", "beside the night", "--json"),
            ("quarantine", "release", "--source", "irs", "--name", "W", "--reason", "beside", "--dry-run", "--json"),
            ("status", "--json"),
            ("checks", "--json"),
        ):  # fmt: skip
            done = oneledger(airflow_home.home, *words, **connections(airflow_home.home))
            assert "Traceback" not in done.stderr, done.stderr[-3000:]
            assert done.returncode in (0, 1), done.stderr[-3000:]
            json.loads(done.stdout)
            answers.append((done.returncode, done.stdout))
        return airflow_home.task_state("publish", "publish", night.due_at) == "success"

    wait_until(f"published; {airflow_home.tail()}", is_published)
    airflow_home.wait_until_quiet()
    version = current_version(airflow_home.settings)
    assert version is not None
    must_be_whole(airflow_home, version, expected)
    refused = [text for code, text in answers if code == 1 and '"holder"' in text and "being written" in text]
    assert refused, "nobody was ever refused"
    assert any("airflow build." in text for text in refused), refused[0]


@pytest.mark.parametrize(("part", "task_id", "days"), [("api-server", "admit", 2), ("dag-processor", "gate_marts", 3)])
def test_an_api_server_or_dag_processor_killed_in_the_night_is_started_anew_and_the_night_completes(
    airflow_home: Disturbed, undisturbed: Undisturbed, part: str, task_id: str, days: int
) -> None:
    day = LAST + dt.timedelta(days=days)
    expected = undisturbed.hash_of(day)
    airflow_home.begin(day)
    night, _ = killed_at(airflow_home, part, "build", task_id)
    version = airflow_home.wait_until_published(night)
    must_be_whole(airflow_home, version, expected)
