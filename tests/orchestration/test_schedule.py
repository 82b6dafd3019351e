"""When a fresh installation starts by the clock, and that `make run` is one night only."""

from __future__ import annotations

import datetime as dt

import pytest
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import TimeRestriction

from oneledger_airflow import schedule_switch
from oneledger_airflow.schedule import CUT_OFF_AT, INGEST_AT, all_landed_or_at, every_day_at


def first_run(now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> dt.datetime:
    """When the scheduler, which knows the serialized form, starts a DAG that never ran."""
    timetable = decode_timetable(encode_timetable(every_day_at(INGEST_AT)))
    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: now, raising=False)
    found = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(earliest=None, latest=None, catchup=False)
    )
    assert found is not None
    return found.run_after


@pytest.mark.parametrize("minutes", [1, 30, 140, 600])
def test_a_fresh_installation_waits_for_the_next_two_oclock_in_the_city(
    minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_oclock = dt.datetime(2026, 11, 25, 18, 0, tzinfo=dt.UTC)
    starts = first_run(two_oclock + dt.timedelta(minutes=minutes), monkeypatch)
    assert starts == two_oclock + dt.timedelta(days=1)


def test_nothing_starts_by_the_clock_beside_the_night_of_make_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all_landed_or_at(CUT_OFF_AT, ["irs", "finance"]).__class__.__name__ == "AssetOrTimeSchedule"
    monkeypatch.setenv("ONELEDGER_SCHEDULE", "on")
    schedule_switch.switch_off()
    assert every_day_at(INGEST_AT) is None
    assert all_landed_or_at(CUT_OFF_AT, ["irs", "finance"]).__class__.__name__ == "AssetAll"
