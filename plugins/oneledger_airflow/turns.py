"""The turn of a task at the warehouse: it waits for another writer, where the command line is refused at once.

Within Airflow the pool ``warehouse_writer`` keeps tasks apart. Beside it stands whoever types ``oneledger run``,
``backfill apply``, ``quarantine release`` …: nobody looks at a night at three o'clock, so the task waits for its turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneledger.settings import Settings

# Less than the shortest execution_timeout of a task on the warehouse, so that the refusal is the one that names the
# holder; with two retries a task is patient for more than an hour.
WAIT_MINUTES = 25


@contextmanager
def named(context: Mapping[str, Any]) -> Iterator[None]:
    """Locks that are taken while the block runs name the task that holds them."""
    from oneledger.locks.holder import acting_as

    instance = context["ti"]
    with acting_as(f"airflow {instance.dag_id}.{instance.task_id}"):
        yield


@contextmanager
def warehouse_turn(
    context: Mapping[str, Any], settings: Settings, *, run_id: str, step: str, log: Any
) -> Iterator[None]:
    """Hold the warehouse for the whole of a task's step; what is looked at within is what is written upon.

    Raises:
        WriterBusyError: somebody else writes, and did not end in ``WAIT_MINUTES``; the task is tried again.
    """
    from oneledger.warehouse.lock import writer_lock

    with (
        named(context),
        writer_lock(settings, run_id=run_id, step=step, wait_seconds=WAIT_MINUTES * 60, say=log.warning),
    ):
        yield
