"""Which Celery queue a task goes to: on several machines only one has the disk with the warehouse."""

from __future__ import annotations

import os

WAREHOUSE_QUEUE_VARIABLE = "ONELEDGER_WAREHOUSE_QUEUE"


def on_warehouse_machine() -> dict[str, str]:
    """The ``queue`` of tasks that open the warehouse, as arguments of their operators.

    Empty unless ``ONELEDGER_WAREHOUSE_QUEUE`` names one: on one machine every task may go to Airflow's default queue.
    """
    queue = os.environ.get(WAREHOUSE_QUEUE_VARIABLE, "").strip()
    return {"queue": queue} if queue else {}
