"""`make run` on a small city: real scheduler, real sources, from landing to a published version."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from oneledger.lineage.openlineage.reading import checked_files, event_lines, told_jobs
from oneledger.outcomes import read_outcomes
from oneledger.settings import Settings
from tests.orchestration.conftest import environment_of, processes_of, unused_port

pytestmark = pytest.mark.slow

SOURCES = {"irs", "project_library", "zheliban", "zhezhengding", "finance"}


@dataclass
class SmallCity:
    """One home with a city of two months in it, and nightly runs on it as `make run` starts them."""

    home: Path

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "oneledger_airflow.standalone", "run", "--port", str(unused_port())],
            env={**environment_of(self.home), **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert "Traceback" not in done.stderr, done.stderr[-4000:]
        assert processes_of(self.home) == []
        return done

    def run_id(self, done: subprocess.CompletedProcess[str]) -> str:
        found = re.search(r"nightly (\S+): ingest", done.stdout)
        assert found, done.stdout + done.stderr
        return found[1]

    def verdicts(self, run_id: str) -> dict[str, set[str]]:
        """Verdicts by step of one run."""
        found: dict[str, set[str]] = {}
        for record in read_outcomes(self.home / "outcomes", run_id):
            found.setdefault(record["step"], set()).add(record["verdict"])
        return found

    def published(self) -> set[str]:
        folder = self.home / "published"
        return {path.name for path in folder.iterdir() if not path.name.startswith(".")} if folder.exists() else set()


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    home = tmp_path_factory.mktemp("small")
    subprocess.run(
        [
            str(Path(sys.executable).with_name("oneledger")),
            "city",
            "build",
            "--from",
            "2022-09-01",
            "--to",
            "2022-10-31",
        ],
        env=environment_of(home),
        check=True,
        capture_output=True,
        timeout=300,
    )
    return SmallCity(home)


@pytest.fixture(scope="module")
def broken(city: SmallCity) -> subprocess.CompletedProcess[str]:
    """A first night on which the project library cannot be reached."""
    return city.run(AIRFLOW_CONN_ONELEDGER_PROJECT_LIBRARY="sqlite:////no/such/library.db")


@pytest.fixture(scope="module")
def first(city: SmallCity, broken: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """The night after, with what the broken one left behind."""
    return city.run()


@pytest.fixture(scope="module")
def second(city: SmallCity, first: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    return city.run()


def test_a_source_that_is_down_ends_the_run_red_and_says_what_broke_and_where_the_log_is(
    city: SmallCity, broken: subprocess.CompletedProcess[str]
) -> None:
    assert broken.returncode == 1, broken.stdout + broken.stderr
    log = re.search(r"✗ ingest_project_library\.ingest: log (\S+)", broken.stdout)
    assert log and Path(log[1]).is_file()
    assert "/no/such/library.db" in broken.stdout
    assert city.verdicts(city.run_id(broken))["extract"] >= {"failed"}
    assert city.published() == set()


def test_the_night_carries_every_source_to_a_published_version(
    city: SmallCity, first: subprocess.CompletedProcess[str]
) -> None:
    verdicts = city.verdicts(city.run_id(first))
    assert set(verdicts) >= {"extract", "admit", "gate_sources", "build_models", "gate_marts", "publish"}, first.stdout
    assert not any("failed" in found for found in verdicts.values()), first.stdout
    sources = {record["source"] for record in read_outcomes(city.home / "outcomes", city.run_id(first))}
    assert sources >= SOURCES
    assert len(city.published() - {"current"}) == 1
    assert content_hash(first)


def test_a_city_of_two_months_cannot_match_the_published_figures_and_the_run_says_so(
    first: subprocess.CompletedProcess[str],
) -> None:
    assert first.returncode == 1
    assert "published figures match" in first.stdout
    assert "(published figures differ)" in first.stdout


@pytest.mark.soak
def test_a_second_run_finds_nothing_new_and_prints_the_same_content_hash(
    city: SmallCity, first: subprocess.CompletedProcess[str], second: subprocess.CompletedProcess[str]
) -> None:
    assert content_hash(second) == content_hash(first)
    assert "nothing new" in second.stdout
    assert city.verdicts(city.run_id(second))["publish"] == {"unchanged"}
    assert len(city.published() - {"current"}) == 1


def test_airflow_tells_its_runs_beside_what_they_carried_and_every_event_is_valid(
    city: SmallCity, first: subprocess.CompletedProcess[str]
) -> None:
    settings = Settings(home=city.home)
    jobs = {job["job"]: job for job in told_jobs(settings, city.run_id(first))["items"]}
    assert {"build", "build.build_models", "build.admit", "publish.publish", "ingest_project_library.ingest"} <= set(
        jobs
    )
    told = [line for line in event_lines(settings) if line.run_id == city.run_id(first) and line.event is not None]
    parents = {line.event["job"]["name"]: line.event["run"]["facets"]["parent"] for line in told if line.event}
    for job, task, dag in (
        ("ingest.project_library.project", "ingest_project_library.ingest", "ingest_project_library"),
        ("warehouse.marts.oneledger.dim_app.build.run", "build.build_models", "build"),
        ("publish.evaluation.app_stars", "publish.publish", "publish"),
    ):
        assert (parents[job]["job"]["name"], parents[job]["root"]["job"]["name"]) == (task, dag)
    assert checked_files(settings)["items"] == []


def content_hash(done: subprocess.CompletedProcess[str]) -> str:
    found = re.search(r"content hash (\w+)", done.stdout)
    assert found, done.stdout + done.stderr
    return found[1]
