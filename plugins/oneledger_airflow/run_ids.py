"""One OneLedger run id for one night, across the DAGs that carry it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any


def run_id_of(airflow_run_id: str, due_at: dt.datetime) -> str:
    """The run id that belongs to a DAG run: the same for a retry, and for every source's ingestion of one night.

    Airflow gives the runs that one schedule starts at one instant the same ``run_id``, whatever their DAG.
    Same form as ``oneledger.outcomes.new_run_id``, so that ids sort by time.
    """
    digest = hashlib.sha256(airflow_run_id.encode()).hexdigest()[:6]
    return f"{due_at.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{digest}"


def own_run_id(context: Mapping[str, Any]) -> str:
    """The run id that the DAG run of this task context gives rise to."""
    dag_run = context["dag_run"]
    return run_id_of(dag_run.run_id, dag_run.logical_date or dag_run.run_after)


def carried_run_id(context: Mapping[str, Any]) -> str:
    """The run id that the triggering assets carry when they agree, else the DAG run's own.

    The newest event of each asset counts. They disagree when sources were ingested by hand at different times.
    """
    carried = set()
    for events in (context.get("triggering_asset_events") or {}).values():
        newest = max(events, key=lambda event: event.timestamp)
        carried.add((newest.extra or {}).get("run_id"))
    if len(carried) == 1 and (only := carried.pop()):
        return str(only)
    return own_run_id(context)
