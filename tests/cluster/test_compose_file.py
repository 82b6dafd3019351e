"""docker-compose.yml against what the code reads and what the image holds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from oneledger_airflow.compose import Service, read_file, read_services
from tests.cluster.conftest import ROOT
from tests.orchestration.test_dags import describe

PARTS = {"api-server", "scheduler", "dag-processor", "triggerer"}
# Tasks that open the warehouse's file or put a version in place from it.
ON_THE_WAREHOUSE = {"build", "publish"}


@pytest.fixture(scope="module")
def queues_of_tasks(services: dict[str, Service], tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The queues of each DAG's tasks under the variables of the compose file."""
    given = services["dag-processor"].environment
    variable = {"ONELEDGER_WAREHOUSE_QUEUE": given["ONELEDGER_WAREHOUSE_QUEUE"]}
    dags = describe(tmp_path_factory.mktemp("dags"), **variable)["dags"]
    return {name: {task["queue"] for task in dag["tasks"].values()} for name, dag in dags.items()}


def test_the_compose_tool_itself_accepts_the_file() -> None:
    tool = shutil.which("docker-compose")
    if tool is None:
        pytest.skip("docker-compose is not installed (Debian's package docker-compose)")
    done = subprocess.run(
        [tool, "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.soak
def test_the_file_keeps_to_the_published_schema_of_compose_files(tmp_path: Path) -> None:
    subprocess.run(["make", "environment", "NAME=deployment"], cwd=ROOT, check=True, capture_output=True)
    check = [ROOT / ".venvs/deployment/bin/check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, ROOT / "docker-compose.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text((ROOT / "docker-compose.yml").read_text("utf-8").replace("    healthcheck:", "    healtcheck:", 1))
    assert subprocess.run([*check, wrong], capture_output=True).returncode == 1


def test_every_part_of_airflow_is_there_with_a_worker_for_each_kind_of_queue(services: dict[str, Service]) -> None:
    assert set(services) >= PARTS | {"postgres", "redis", "init"}
    for part in PARTS:
        assert services[part].command[:2] == ["airflow", part]
    assert {name: one.queues for name, one in services.items() if one.queues} == {
        "worker": ["default"],
        "worker-warehouse": ["warehouse"],
    }


def test_every_queue_that_a_task_names_is_served_and_only_the_warehouse_tasks_go_to_its_machine(
    services: dict[str, Service], queues_of_tasks: dict[str, set[str]]
) -> None:
    served = {queue for one in services.values() for queue in one.queues}
    assert set().union(*queues_of_tasks.values()) == served
    assert {name for name, queues in queues_of_tasks.items() if queues == {"warehouse"}} == ON_THE_WAREHOUSE
    assert all(queues in ({"warehouse"}, {"default"}) for queues in queues_of_tasks.values())


def test_only_the_warehouse_worker_can_write_the_warehouse(services: dict[str, Service]) -> None:
    place = services["worker-warehouse"].environment["ONELEDGER_HOME"] + "/warehouse"
    mounts = {name: one.definition.get("volumes", []) for name, one in services.items()}
    writers = {name for name, volumes in mounts.items() if f"warehouse:{place}" in volumes}
    readers = {name for name, volumes in mounts.items() if f"warehouse:{place}:ro" in volumes}
    assert writers == {"worker-warehouse"}
    assert readers == {"api-server", "web"}


def test_who_runs_our_code_beside_the_pages_sees_the_home_and_the_scheduler_does_not(
    services: dict[str, Service],
) -> None:
    having = {name for name, one in services.items() if any("home:" in v for v in one.definition.get("volumes", []))}
    assert having >= {"worker", "worker-warehouse", "triggerer", "dag-processor", "api-server", "web"}
    assert not {"scheduler", "postgres", "redis"} & having


def test_no_service_carries_the_value_of_a_secret(compose: dict[str, Any], services: dict[str, Service]) -> None:
    sensitive = re.compile(r"(KEY|SECRET|PASSWORD|TOKEN|CONN|BROKER_URL|RESULT_BACKEND)")
    for service in services.values():
        for name, value in service.environment.items():
            if sensitive.search(name) and value and name != "ONELEDGER_PUBLIC_KEY":
                assert re.fullmatch(r"(cat )?/(run/secrets|opt/airflow)/[\w.]+", value), f"{service.name}: {name}"
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())


def test_every_service_is_given_the_secrets_that_it_reads_and_every_secret_is_read(
    compose: dict[str, Any], services: dict[str, Service]
) -> None:
    entrypoint = (ROOT / "deploy" / "entrypoint.sh").read_text("utf-8")
    by_entrypoint = set(re.findall(r"\$secrets/(\w+)", entrypoint))
    read: set[str] = set()
    for service in services.values():
        if service.profiles:
            continue
        words = " ".join([*service.environment.values(), *service.command])
        named = set(re.findall(r"/run/secrets/(\w+)", words))
        assert named <= set(service.secrets), service.name
        read |= named | (by_entrypoint & set(service.secrets))
    read |= by_entrypoint & set(services["web"].secrets)
    assert read == set(compose["secrets"])


def test_what_the_entry_point_hands_over_is_what_the_code_reads() -> None:
    from oneledger.audit.signing import SIGNING_KEY
    from oneledger.web.tokens import TOKENS_VARIABLE

    entrypoint = (ROOT / "deploy" / "entrypoint.sh").read_text("utf-8")
    assert set(re.findall(r"(?:export )?(ONELEDGER_(?!SECRETS)\w+)=", entrypoint)) == {SIGNING_KEY, TOKENS_VARIABLE}


def test_the_workers_and_the_dag_processor_know_the_sources_connections_and_nobody_else(
    services: dict[str, Service],
) -> None:
    assert {name for name, one in services.items() if "connections" in one.secrets} == {
        "worker", "worker-warehouse", "dag-processor",
    }  # fmt: skip


def test_every_service_that_stays_has_a_health_check_limits_and_comes_back(services: dict[str, Service]) -> None:
    for name, service in services.items():
        limits = service.definition["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory"}, name
        if name != "init":
            assert service.health_command, name
            assert service.restarts, name


def test_a_worker_may_use_more_memory_than_duckdb_is_allowed(services: dict[str, Service]) -> None:
    for name in ("worker", "worker-warehouse"):
        duckdb = int(re.fullmatch(r"(\d+)GB", services[name].environment["ONELEDGER_MEMORY_LIMIT"])[1])  # type: ignore[index]
        concurrency = int(services[name].command[services[name].command.index("--concurrency") + 1])
        readers = 1 if name == "worker-warehouse" else concurrency
        allowed = int(services[name].definition["deploy"]["resources"]["limits"]["memory"].removesuffix("g"))
        assert allowed > duckdb * readers, name


def test_a_dead_worker_is_noticed_long_before_redis_hands_its_task_to_another(services: dict[str, Service]) -> None:
    given = services["scheduler"].environment
    heartbeat = int(given["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"])
    visible_after = int(given["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"])
    longest = max(
        int(hours) * 3600
        for path in (ROOT / "dags").glob("*.py")
        for hours in re.findall(r"execution_timeout=timedelta\(hours=(\d+)\)", path.read_text("utf-8"))
    )
    assert heartbeat < 300 < longest < visible_after


def test_lineage_events_go_where_they_go_on_one_machine(airflow_services: dict[str, Service]) -> None:
    from oneledger.lineage.openlineage.configuration import airflow_defaults
    from oneledger.settings import Settings

    given = airflow_services["worker"].environment
    expected = airflow_defaults(Settings(home=Path(given["ONELEDGER_HOME"])), {})
    transport = "AIRFLOW__OPENLINEAGE__TRANSPORT"
    assert json.loads(given[transport]) == json.loads(expected.pop(transport))
    assert {name: given[name] for name in expected} == expected


def test_the_image_is_made_of_the_lock_and_of_paths_that_exist(services: dict[str, Service]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert "pip install --require-hashes --no-deps" in dockerfile
    assert re.search(r"^USER oneledger$", dockerfile, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE):
        for path in line.split():
            assert (ROOT / path).exists(), path
            assert f"!{path}" in ignored, f"{path} is kept out by .dockerignore"
    assert "*" in ignored
    variables = dict(re.findall(r"(\w+)=(/\S+)", dockerfile))
    worker = services["worker"].environment
    for name in ("AIRFLOW_HOME", "ONELEDGER_HOME", "ONELEDGER_PROJECT_ROOT"):
        assert variables[name] == worker[name]


def test_a_variable_of_the_environment_replaces_the_default_and_a_doubled_dollar_is_one() -> None:
    services = read_services(ROOT, {"ONELEDGER_MEMORY_LIMIT": "12GB"})
    assert services["worker-warehouse"].environment["ONELEDGER_MEMORY_LIMIT"] == "12GB"
    assert "$(hostname)" in services["worker"].health_command[-1]
    assert "$$" not in json.dumps(read_file(ROOT, {}))


def test_our_reading_of_the_file_is_that_of_the_compose_tool(services: dict[str, Service]) -> None:
    tool = shutil.which("docker-compose")
    if tool is None:
        pytest.skip("docker-compose is not installed (Debian's package docker-compose)")
    done = subprocess.run(
        [tool, "--file", str(ROOT / "docker-compose.yml"), "--profile", "pages", "config"],
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    read = yaml.safe_load(done.stdout)["services"]
    assert set(read) == set(services)
    for name, service in services.items():
        assert {key: str(value) for key, value in read[name].get("environment", {}).items()} == service.environment
        assert [str(word).replace("$$", "$") for word in read[name]["command"]] == service.command, name
