"""The pools: one slot a source, so that a source is never read twice at once, and one slot for the warehouse.

`make up` and `make run` make them. Elsewhere: ``airflow pools import config/airflow_pools.json`` after
``python -m oneledger_airflow.pools > config/airflow_pools.json``.
"""

from __future__ import annotations

import json

from oneledger.catalogue import load_catalogue
from oneledger.settings import Settings, load_settings
from oneledger_airflow.api import AirflowApi

WAREHOUSE_POOL = "warehouse_writer"
EVALUATION_POOL = "evaluation"


def source_pool(source: str) -> str:
    """The pool in which the tasks that read ``source`` run."""
    return f"source_{source}"


def pools(settings: Settings) -> dict[str, dict[str, object]]:
    """Slots and description by pool name, in the form that ``airflow pools import`` reads."""
    catalogue = load_catalogue(settings)
    wanted: dict[str, dict[str, object]] = {
        WAREHOUSE_POOL: {
            "slots": 1,
            "description": "warehouse.duckdb has one writer · 数据仓库同一时刻只允许一个写入者",
            "include_deferred": False,
        },
        EVALUATION_POOL: {
            "slots": 1,
            "description": "one evaluation is made or decided at a time · 评价一次只进行一个",
            "include_deferred": False,
        },
    }
    for source in catalogue.sources:
        wanted[source_pool(source)] = {
            "slots": 1,
            "description": f"one reader of {source} at a time · 同一来源不并发采集",
            "include_deferred": False,
        }
    return wanted


def ensure_pools(api: AirflowApi, settings: Settings) -> None:
    """Make the pools that do not exist yet."""
    for name, pool in pools(settings).items():
        api.ensure_pool(name, int(str(pool["slots"])), str(pool["description"]))


if __name__ == "__main__":
    print(json.dumps(pools(load_settings()), ensure_ascii=False, indent=2))
