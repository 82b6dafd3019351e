"""When things run, and the assets by which one DAG starts the next. DAG files import this; keep it light."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetAll, AssetOrTimeSchedule, CronTriggerTimetable
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from oneledger.catalogue import Catalogue, Source
from oneledger.sources.connections import is_configured
from oneledger_airflow import schedule_switch
from oneledger_airflow.deadlines import report_missed_deadline
from oneledger_airflow.notifier import CauseNotifier

CITY_TIMEZONE = "Asia/Shanghai"
INGEST_AT = "0 2 * * *"
CUT_OFF_AT = "0 5 * * *"
MORNING_CHECK_AT = "30 6 * * *"
TAGS = ["oneledger", "nightly"]

MARTS = Asset(name="oneledger_marts", uri="oneledger://warehouse/marts", group="oneledger")


def landing(source: str) -> Asset:
    """The asset that says: tonight's deliveries of ``source`` are landed."""
    return Asset(name=f"oneledger_landing_{source}", uri=f"oneledger://landing/{source}", group="oneledger")


def every_day_at(cron: str) -> CronTriggerTimetable | None:
    """A timetable in the city's wall-clock time; a fresh installation waits for the next time.

    None while `make run` carries one night through: what is due by the clock would be a second night beside it.
    """
    if not schedule_switch.is_on():
        return None
    # Airflow 3.3 takes False, its default, for "the last time, if it is no longer ago than a tenth of a day".
    return CronTriggerTimetable(cron, timezone=CITY_TIMEZONE, run_immediately=timedelta(0))


def all_landed_or_at(cron: str, sources: Iterable[str]) -> AssetOrTimeSchedule | AssetAll:
    """When tonight's deliveries of every source are landed, at the latest at a time of day."""
    landed = AssetAll(*(landing(source) for source in sources))
    timetable = every_day_at(cron)
    return AssetOrTimeSchedule(timetable=timetable, assets=landed) if timetable else landed


def awaited_sources(catalogue: Catalogue) -> list[str]:
    """The sources that the build waits for: all, but of the optional ones only those that are connected."""
    return [source.id for source in catalogue.sources.values() if is_awaited(source)]


def is_awaited(source: Source) -> bool:
    """Airflow's database is not asked for connections while DAG files are parsed, only the environment."""
    return not source.optional or is_configured(source.connection)


def within(minutes: int, what: str) -> DeadlineAlert:
    """An alert when a run has not ended this long after it was queued."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=AsyncCallback(report_missed_deadline, kwargs={"what": what, "minutes": minutes}),
        name=what,
    )


def task_defaults(owner: str, **given: Any) -> dict[str, Any]:
    """``default_args`` of tasks on the warehouse.

    Tried again: a task whose process ended, a source that somebody else fetches, a turn at the warehouse that did not
    come (``turns.WAIT_MINUTES``). A shut gate or a failed model is not tried
    again, because it stays red until somebody acts (these operators raise AirflowFailException).
    """
    return {
        "owner": owner,
        "depends_on_past": False,
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "on_failure_callback": CauseNotifier(),
        **given,
    }


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
