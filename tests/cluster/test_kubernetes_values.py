"""deploy/kubernetes/values.yaml against the compose file, and against the chart's own schema where that lies."""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from oneledger_airflow.compose import Service
from tests.cluster.conftest import ROOT

SCHEMA_VARIABLE = "ONELEDGER_AIRFLOW_CHART_SCHEMA"
# What the chart sets itself, from its own values.
OF_THE_CHART = {
    "AIRFLOW_HOME",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__DAGS_FOLDER",
    "AIRFLOW__CORE__PLUGINS_FOLDER",
    "AIRFLOW__CORE__LOAD_EXAMPLES",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
    "ONELEDGER_MEMORY_LIMIT",
}


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "deploy" / "kubernetes" / "values.yaml").read_text("utf-8")))


def test_the_values_keep_to_the_schema_of_the_official_chart(values: dict[str, Any]) -> None:
    path = os.environ.get(SCHEMA_VARIABLE)
    if not path:
        pytest.skip(
            f"{SCHEMA_VARIABLE} names no values.schema.json; "
            "get it with: helm pull apache-airflow/airflow --version 1.22.0 --untar"
        )
    schema = json.loads(Path(path).read_text("utf-8"))
    check = jsonschema.validators.validator_for(schema)(schema)
    assert [f"{list(error.path)}: {error.message}" for error in check.iter_errors(values)] == []
    # The schema itself lets unknown names pass at the root and in `workers.celery`; Helm would ignore them in silence.
    assert unknown(values, schema) == []
    of_a_set = schema["properties"]["workers"]["properties"]["celery"]
    for worker in values["workers"]["celery"]["sets"]:
        assert unknown({name: value for name, value in worker.items() if name != "name"}, of_a_set) == []
    assert unknown({**values, "worker": {}, "scheduler": {"replica": 2}}, schema) == ["scheduler.replica", "worker"]


def unknown(given: dict[str, Any], schema: dict[str, Any], place: str = "") -> list[str]:
    """The paths of names that the schema does not have, where it lists names at all."""
    known = schema.get("properties", {})
    if not known:
        return []
    found = [f"{place}{name}" for name in given if name not in known]
    for name in set(given) & set(known):
        if isinstance(given[name], dict):
            found += unknown(given[name], known[name], f"{place}{name}.")
    return sorted(found)


def test_the_variables_are_those_of_the_compose_file(values: dict[str, Any], services: dict[str, Service]) -> None:
    given = {one["name"]: one["value"] for one in values["env"]}
    defined = {
        name: value
        for name, value in services["scheduler"].environment.items()
        if name not in OF_THE_CHART and not name.endswith("_CMD") and value
    }
    assert given == defined
    assert values["executor"] == services["scheduler"].environment["AIRFLOW__CORE__EXECUTOR"]


def test_the_workers_serve_the_queues_of_the_compose_file_with_its_memory(
    values: dict[str, Any], services: dict[str, Service]
) -> None:
    workers = values["workers"]["celery"]
    by_queue = {one["queue"]: one for one in [workers, *workers["sets"]]}
    in_compose = {one.queues[0]: one for one in services.values() if one.queues}
    assert set(by_queue) == set(in_compose)
    for queue, worker in by_queue.items():
        limit = {one["name"]: one["value"] for one in worker["env"]}["ONELEDGER_MEMORY_LIMIT"]
        assert limit == in_compose[queue].environment["ONELEDGER_MEMORY_LIMIT"]
        allowed = in_compose[queue].definition["deploy"]["resources"]["limits"]["memory"]
        assert worker["resources"]["limits"]["memory"] == allowed.replace("g", "Gi")


def test_the_warehouse_is_written_by_one_pod_that_is_never_there_twice(values: dict[str, Any]) -> None:
    workers = values["workers"]["celery"]
    claims = {
        name: [one["persistentVolumeClaim"] for one in part.get("extraVolumes", []) if "persistentVolumeClaim" in one]
        for name, part in {
            "default": workers,
            **{one["name"]: one for one in workers["sets"]},
            **{name: values[name] for name in ("apiServer", "triggerer", "scheduler", "dagProcessor")},
        }.items()
    }
    having = {name for name, found in claims.items() if any(one["claimName"] == "oneledger-warehouse" for one in found)}
    assert having == {"warehouse", "apiServer"}
    assert {"claimName": "oneledger-warehouse", "readOnly": True} in claims["apiServer"]
    [warehouse] = workers["sets"]
    assert (warehouse["replicas"], warehouse["strategy"]["type"]) == (1, "Recreate")


def test_secrets_are_named_and_never_written_down(values: dict[str, Any]) -> None:
    assert not {"fernetKey", "apiSecretKey", "jwtSecret", "webserverSecretKey"} & set(values)
    assert set(values["data"]) == {"metadataSecretName", "resultBackendSecretName", "brokerUrlSecretName"}
    documentation = (ROOT / "docs" / "cluster.md").read_text("utf-8")
    text = (ROOT / "deploy" / "kubernetes" / "values.yaml").read_text("utf-8")
    loaded = json.dumps(values)
    for name in set(re.findall(r'"(oneledger-[\w-]+)"', loaded)) - {"oneledger-disk"}:
        assert re.search(rf"[ `]{name}\b", documentation), f"docs/cluster.md does not say where {name} comes from"
    assert "password" not in {line.split(":")[0].strip().lower() for line in text.splitlines()}


def test_the_version_of_airflow_and_the_user_are_those_of_the_image(values: dict[str, Any]) -> None:
    assert values["airflowVersion"] == version("apache-airflow")
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert f"ARG USER_ID={values['uid']}" in dockerfile
