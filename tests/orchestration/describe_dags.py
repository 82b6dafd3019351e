"""Parse every DAG file as Airflow does and print what came out as JSON (run in a process of its own)."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path

import airflow.sdk
from airflow.serialization.serialized_objects import DagSerialization

# Airflow loads its parts on first use; that time is Airflow's, not the DAG file's.
for name in (
    "DAG",
    "Asset",
    "AssetAll",
    "AssetOrTimeSchedule",
    "BaseOperator",
    "CronTriggerTimetable",
    "Param",
    "chain",
):
    getattr(airflow.sdk, name)
importlib.import_module("airflow.sdk.definitions.deadline")

answer: dict[str, object] = {"files": {}, "dags": {}, "heavy": []}
for path in sorted(Path(sys.argv[1]).glob("*.py")):
    started = time.process_time()  # its own work, however busy the machine is
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    answer["files"][path.name] = time.process_time() - started  # type: ignore[index]
    for dag in {id(value): value for value in vars(module).values() if isinstance(value, airflow.sdk.DAG)}.values():
        DagSerialization.serialize_dag(dag)
        condition = getattr(dag.timetable, "asset_condition", None)
        clock = getattr(dag.timetable, "timetable", dag.timetable)
        answer["dags"][dag.dag_id] = {  # type: ignore[index]
            "file": path.name,
            "catchup": dag.catchup,
            "max_active_runs": dag.max_active_runs,
            "tags": sorted(dag.tags),
            "doc": dag.doc_md,
            "deadlines": [alert.name for alert in (dag.deadline if isinstance(dag.deadline, list) else [])],
            "timetable": type(dag.timetable).__name__,
            "assets": sorted(asset.uri for asset in condition.objects) if condition is not None else [],
            "condition": type(condition).__name__,
            "cron": getattr(clock, "expression", None),
            "timezone": str(getattr(clock, "timezone", "")),
            "params": sorted(dag.params),
            "tasks": {
                task.task_id: {
                    "owner": task.owner,
                    "pool": task.pool,
                    "queue": task.queue,
                    "retries": task.retries,
                    "backoff": bool(task.retry_exponential_backoff),
                    "timeout": task.execution_timeout.total_seconds() if task.execution_timeout else None,
                    "downstream": sorted(task.downstream_task_ids),
                    "outlets": [outlet.uri for outlet in task.outlets],
                }
                for task in dag.tasks
            },
        }
answer["heavy"] = sorted({"great_expectations", "dbt", "pandas", "pyarrow"} & set(sys.modules))
print(json.dumps(answer))
