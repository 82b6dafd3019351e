"""Airflow's task as the parent of the lineage events that its step tells."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


@contextlib.contextmanager
def task_as_parent(context: Context) -> Iterator[None]:
    """What is told inside has this task as its parent and the DAG run as its root, and goes where Airflow's events go.

    When Airflow's OpenLineage provider is switched off, the OneLedger run is the parent.
    """
    from oneledger.lineage.openlineage.runs import as_parent

    parent = _parent_of(context)
    if parent is None:
        yield
        return
    with as_parent(*parent):
        yield


def _parent_of(context: Context) -> tuple[str, str] | None:
    from airflow.providers.openlineage import conf

    try:
        if conf.is_disabled():
            return None
        _export_configuration()
        from airflow.providers.openlineage.plugins.macros import lineage_parent_id, lineage_root_parent_id

        task_instance = context["ti"]
        return lineage_parent_id(task_instance), lineage_root_parent_id(task_instance)
    except Exception as error:  # whatever the provider makes of its settings, the step's work goes on
        log.warning("lineage: the task is not named as parent of its events: %s: %s", type(error).__name__, error)
        return None


def _export_configuration() -> None:
    """Settings of airflow.cfg in the form that the library reads: variables."""
    from airflow.providers.openlineage import conf

    wanted = {
        "AIRFLOW__OPENLINEAGE__NAMESPACE": conf.namespace(),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(conf.transport()) if conf.transport() else "",
        "AIRFLOW__OPENLINEAGE__CONFIG_PATH": conf.config_path(check_legacy_env_var=False),
        "AIRFLOW__OPENLINEAGE__CONFIG_CONN_ID": conf.config_conn_id(),
    }
    for name, value in wanted.items():
        if value and not os.environ.get(name):
            os.environ[name] = value
