"""The nightly through the whole stack: PostgreSQL, Redis, two Celery workers; then with parts of it killed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oneledger.outcomes import read_outcomes
from oneledger.publishing.versions import current_version
from oneledger.settings import Settings
from oneledger.warehouse.lock import lock_holder
from oneledger_airflow.processes import end_sessions
from tests.orchestration.conftest import environment_of, processes_of, unused_port

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

ONELEDGER = str(Path(sys.executable).with_name("oneledger"))
STEPS = {"extract", "admit", "gate_sources", "build_models", "gate_marts", "publish"}


@dataclass
class Night:
    """`cluster run` on one home, while it runs."""

    home: Path
    killed: list[str] = field(default_factory=list)
    output: str = ""

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home)

    def run(self, *kills: tuple[str, Callable[[], bool]], minutes: float = 40) -> None:
        """Carry a night through; each part is killed, whole session and all, at the moment that its condition names."""
        log = self.home / "night.log"
        command = [sys.executable, "-m", "oneledger_airflow.cluster", "run", "--port", str(unused_port())]
        deadline = time.monotonic() + minutes * 60
        waiting = list(kills)
        with log.open("w") as stream:
            process = subprocess.Popen(command, env=environment_of(self.home), stdout=stream, stderr=subprocess.STDOUT)
            try:
                while process.poll() is None:
                    assert time.monotonic() < deadline, log.read_text()
                    if waiting and waiting[0][1]():
                        self._kill(waiting.pop(0)[0])
                    time.sleep(0.05)
            finally:
                process.terminate()
                process.wait(timeout=120)
        self.output = log.read_text()
        assert not waiting, f"never came to the moment at which {waiting[0][0]} was to be killed:\n{self.output}"

    def _kill(self, name: str) -> None:
        """As when a machine loses its power: every process of the part, at once."""
        rows = json.loads((self.home / "cluster" / "processes.json").read_text())
        [row] = [row for row in rows if row["name"] == name]
        end_sessions({row["pid"]: row["started_at"]})
        self.killed.append(name)

    @property
    def run_id(self) -> str:
        found = re.search(r"nightly (\S+): ingest", self.output)
        assert found, self.output
        return found[1]

    def verdicts(self) -> dict[str, list[str]]:
        """Verdicts by step, in the order in which they were recorded."""
        found: dict[str, list[str]] = {}
        for record in read_outcomes(self.settings.outcomes_dir, self.run_id):
            found.setdefault(record["step"], []).append(record["verdict"])
        return found

    def content_hash(self) -> str:
        version = current_version(self.settings)
        assert version, self.output
        return str(version.content_hash)

    def tasks_by_worker(self) -> dict[str, set[str]]:
        """The DAGs whose tasks each worker's logs, also those before a restart, say that it ran."""
        found = {}
        for name in ("worker", "worker-warehouse"):
            logs = self.home.glob(f"cluster/logs/{name}.log*")
            text = "".join(path.read_text(errors="replace") for path in logs)
            found[name] = set(re.findall(r'dag_id[\'"]?[=:] ?[\'"]?(\w+)', text))
        return found


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    subprocess.run(
        [sys.executable, "-m", "oneledger_airflow.cluster", "install"], check=True, capture_output=True, timeout=600
    )
    home = tmp_path_factory.mktemp("city")
    build = [ONELEDGER, "city", "build", "--from", "2022-09-01", "--to", "2022-10-31"]
    subprocess.run(build, env=environment_of(home), check=True, capture_output=True, timeout=600)
    return home / "city"


@pytest.fixture(scope="module")
def undisturbed(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    night = Night(tmp_path_factory.mktemp("undisturbed"))
    shutil.copytree(city, night.home / "city")
    night.run()
    yield night
    assert processes_of(night.home) == []


def test_the_stack_carries_a_night_to_a_published_version(undisturbed: Night) -> None:
    verdicts = undisturbed.verdicts()
    assert set(verdicts) >= STEPS, undisturbed.output
    assert not any("failed" in found for found in verdicts.values()), undisturbed.output
    assert undisturbed.content_hash()
    # Two months of a city cannot match the published figures of three years; nothing else is wrong.
    assert "✗ run" in undisturbed.output and "(published figures differ)" in undisturbed.output


def test_each_task_ran_on_the_worker_that_may_run_it(undisturbed: Night) -> None:
    ran = undisturbed.tasks_by_worker()
    assert ran["worker-warehouse"] == {"build", "publish"}
    assert ran["worker"] == {"ingest_irs", "ingest_project_library", "ingest_zheliban", "ingest_zhezhengding",
                             "ingest_finance"}  # fmt: skip


def test_the_night_ends_alone_with_the_same_marts_when_workers_and_scheduler_are_killed(
    city: Path, undisturbed: Night, tmp_path_factory: pytest.TempPathFactory
) -> None:
    night = Night(tmp_path_factory.mktemp("killed"))
    shutil.copytree(city, night.home / "city")

    def writes(step: str) -> bool:
        holder = lock_holder(night.settings)
        return holder is not None and holder.step == step

    night.run(
        # A worker in the middle of its files, the scheduler while rows are admitted, a worker in the middle of dbt.
        ("worker", lambda: any(night.settings.landing_dir.glob("zheliban/**/manifest.json"))),
        ("scheduler", lambda: writes("admit")),
        ("worker-warehouse", lambda: writes("build_models")),
    )
    assert night.killed == ["worker", "scheduler", "worker-warehouse"]
    for name in night.killed:
        assert f"{name} was ended by signal 9; started anew" in night.output
    assert {step: found[-1] for step, found in night.verdicts().items() if found[-1] == "failed"} == {}, night.output
    assert night.content_hash() == undisturbed.content_hash()
    assert lock_holder(night.settings) is None
    assert processes_of(night.home) == []
