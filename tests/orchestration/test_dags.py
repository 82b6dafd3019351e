"""The DAGs as Airflow reads them."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.orchestration.conftest import environment_of

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL_SOURCE = """
version: 1
sources:
  district_sheet:
    title_zh: 区县报表
    title_en: A district's sheet
    owner: 区大数据局
    optional: true
    connector: delimited
    connection: oneledger_district_sheet
    defaults: {delivery: partition, max_age_hours: 50}
    entities:
      usage:
        title_zh: 使用情况
        title_en: Usage
        conforms_to: usage
        files: {pattern: 'sheet_(?P<business_date>\\d{8})\\.csv'}
        format: {encoding: utf-8, delimiter: ","}
        columns:
          app_id: {from: app}
          usage_on: {from: day}
          release_end: {from: end}
          page_views_count: {from: views}
"""


def describe(home: Path, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("describe_dags.py")), str(ROOT / "dags")],
        env={**environment_of(home), "ONELEDGER_PROJECT_ROOT": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return describe(tmp_path_factory.mktemp("dags"))


@pytest.fixture(scope="module")
def dags(described: dict[str, Any]) -> dict[str, Any]:
    return dict(described["dags"])


@pytest.fixture(scope="module")
def required_sources() -> set[str]:
    sources = yaml.safe_load((ROOT / "config" / "sources.yml").read_text("utf-8"))["sources"]
    return {name for name, source in sources.items() if not source.get("optional")}


def test_each_dag_file_adds_less_than_a_second_to_the_import_of_airflow(described: dict[str, Any]) -> None:
    assert set(described["files"]) == {path.name for path in (ROOT / "dags").glob("*.py")}
    assert max(described["files"].values()) < 1.0, described["files"]


def test_parsing_dag_files_imports_none_of_the_heavy_libraries(described: dict[str, Any]) -> None:
    assert described["heavy"] == []


def test_there_is_one_ingestion_for_each_source_a_build_a_publication_and_a_check(
    dags: dict[str, Any], required_sources: set[str]
) -> None:
    assert {"build", "publish", "morning_check"} < set(dags)
    assert {f"ingest_{source}" for source in required_sources} <= set(dags)


def test_every_dag_says_what_it_does_in_both_languages_and_why_it_does_not_catch_up(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert dag["catchup"] is False, dag_id
        assert any("\u4e00" <= letter <= "\u9fff" for letter in dag["doc"]), dag_id
        assert "night" in dag["doc"] or "build" in dag["doc"].lower(), dag_id
        assert "oneledger" in dag["tags"], dag_id
    assert all("catchup is off" in dags[dag_id]["doc"] for dag_id in dags if dag_id.startswith(("ingest_", "build")))


def test_every_task_has_an_owner_a_time_limit_and_its_pool(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        for task_id, task in dag["tasks"].items():
            assert task["owner"] != "airflow", (dag_id, task_id)
            assert 0 < task["timeout"] <= 3600, (dag_id, task_id)
            if dag_id.startswith("ingest_"):
                assert task["pool"] == f"source_{dag_id.removeprefix('ingest_')}"
            elif dag_id in {"build", "publish"}:
                assert task["pool"] == "warehouse_writer", (dag_id, task_id)


def test_on_one_machine_every_task_goes_to_airflows_own_queue(dags: dict[str, Any]) -> None:
    assert {task["queue"] for dag in dags.values() for task in dag["tasks"].values()} == {"default"}


def test_a_source_that_is_down_is_tried_again_with_growing_pauses(
    dags: dict[str, Any], required_sources: set[str]
) -> None:
    for source in required_sources:
        task = dags[f"ingest_{source}"]["tasks"]["ingest"]
        assert task["retries"] == 3
        assert task["backoff"] is True


def test_ingestion_starts_at_two_in_the_city_and_produces_its_landing_asset(
    dags: dict[str, Any], required_sources: set[str]
) -> None:
    for source in required_sources:
        dag = dags[f"ingest_{source}"]
        assert (dag["cron"], dag["timezone"]) == ("0 2 * * *", "Asia/Shanghai")
        assert dag["tasks"]["ingest"]["outlets"] == [f"oneledger://landing/{source}"]
        assert "as_of" in dag["params"]


def test_the_build_waits_for_all_required_sources_or_the_cut_off_at_five(
    dags: dict[str, Any], required_sources: set[str]
) -> None:
    build = dags["build"]
    assert build["condition"] == "AssetAll"
    assert set(build["assets"]) == {f"oneledger://landing/{source}" for source in required_sources}
    assert (build["cron"], build["timezone"]) == ("0 5 * * *", "Asia/Shanghai")
    assert build["max_active_runs"] == 1


def test_the_build_runs_its_steps_in_order_and_only_the_last_gate_announces_marts(dags: dict[str, Any]) -> None:
    tasks = dags["build"]["tasks"]
    order = ["arrivals", "admit", "gate_sources", "build_models", "gate_marts"]
    assert list(tasks) == order
    for task_id, next_id in itertools.pairwise(order):
        assert tasks[task_id]["downstream"] == [next_id]
    assert [task_id for task_id in order if tasks[task_id]["outlets"]] == ["gate_marts"]
    assert dags["publish"]["assets"] == tasks["gate_marts"]["outlets"]


def test_ingestion_build_and_publication_have_deadlines(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert len(dag["deadlines"]) == (0 if dag_id == "morning_check" else 1), dag_id


def test_an_optional_source_is_awaited_only_when_it_is_connected(tmp_path: Path) -> None:
    optional = tmp_path / "district.yml"
    optional.write_text(OPTIONAL_SOURCE, "utf-8")
    catalogue = f"{ROOT / 'config' / 'sources.yml'}:{optional}"
    asset = "oneledger://landing/district_sheet"

    alone = describe(tmp_path, ONELEDGER_CATALOGUE=catalogue)["dags"]
    assert asset not in alone["build"]["assets"]
    assert alone["ingest_district_sheet"]["cron"] is None

    connection = {"AIRFLOW_CONN_ONELEDGER_DISTRICT_SHEET": f"file://{tmp_path}"}
    connected = describe(tmp_path, ONELEDGER_CATALOGUE=catalogue, **connection)["dags"]
    assert asset in connected["build"]["assets"]
    assert connected["ingest_district_sheet"]["cron"] == "0 2 * * *"


def test_ruff_finds_nothing_to_change_for_airflow_3() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "AIR", "--no-cache", "dags", "plugins"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
