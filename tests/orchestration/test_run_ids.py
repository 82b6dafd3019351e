"""One OneLedger run id for one night."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from oneledger.outcomes import new_run_id
from oneledger_airflow.run_ids import carried_run_id, own_run_id, run_id_of

NIGHT = dt.datetime(2026, 11, 24, 2, tzinfo=dt.timezone(dt.timedelta(hours=8)))


@dataclass
class DagRun:
    run_id: str
    run_after: dt.datetime = NIGHT
    logical_date: dt.datetime | None = None


@dataclass
class Event:
    extra: dict[str, Any]
    timestamp: dt.datetime = field(default_factory=lambda: NIGHT)


def test_all_ingestions_of_one_night_share_a_run_id_and_other_nights_have_another() -> None:
    one = own_run_id({"dag_run": DagRun("scheduled__2026-11-23T18:00:00+00:00", logical_date=NIGHT)})
    assert one == own_run_id({"dag_run": DagRun("scheduled__2026-11-23T18:00:00+00:00", logical_date=NIGHT)})
    later = NIGHT + dt.timedelta(days=1)
    assert one < own_run_id({"dag_run": DagRun("scheduled__2026-11-24T18:00:00+00:00", logical_date=later)})


def test_a_run_id_has_the_form_of_the_command_lines() -> None:
    assert run_id_of("scheduled__x", NIGHT).startswith("20261123T180000Z-")
    assert len(run_id_of("scheduled__x", NIGHT)) == len(new_run_id())


def test_the_build_goes_on_under_the_id_that_all_its_sources_carry() -> None:
    events = {"irs": [Event({"run_id": "a"})], "finance": [Event({"run_id": "a"})]}
    assert carried_run_id({"dag_run": DagRun("asset__1"), "triggering_asset_events": events}) == "a"


def test_of_several_deliveries_of_a_source_the_newest_counts() -> None:
    events = {"irs": [Event({"run_id": "b"}), Event({"run_id": "a"}, NIGHT - dt.timedelta(hours=1))]}
    assert carried_run_id({"dag_run": DagRun("asset__1"), "triggering_asset_events": events}) == "b"


def test_sources_ingested_at_different_times_give_the_build_an_id_of_its_own() -> None:
    events = {"irs": [Event({"run_id": "a"})], "finance": [Event({"run_id": "b"})]}
    context = {"dag_run": DagRun("asset__1"), "triggering_asset_events": events}
    assert carried_run_id(context) == own_run_id(context)
    assert carried_run_id({"dag_run": DagRun("asset__1"), "triggering_asset_events": {}}) == own_run_id(context)
