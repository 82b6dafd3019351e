"""Idea 3 of the design carried to the marts: any nights, late and corrected data give the marts of one rebuild."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneledger.catalogue import load_catalogue
from oneledger.settings import PROJECT_ROOT, Settings
from oneledger.warehouse.models import build_models
from tests.warehouse.conftest import Installation, Row

# What a mart says about runs and not about the city: different runs, different ids and times.
OF_RUNS = {"run_id", "computed_at", "built_at", "evaluated_at"}
TABLES_OF_RUNS = {"mart_run_outcome", "run_outcome"}
USAGE_DAYS = ("20220530", "20220531", "20220601", "20220602", "20220603")

DEPARTMENT: Row = {
    "department_id": "D1", "department_name": "市大数据局", "department_kind": "municipal_department",
    "level": "city", "district_code": "330500", "updated_at": "2022-05-01T00:00:00",
}  # fmt: skip


def app(app_id: str, name: str, updated_at: str = "2022-05-01T00:00:00") -> Row:
    return {
        "app_id": app_id, "app_name": name, "side": "service", "family": "application_system",
        "department_id": "D1", "level": "city", "district_code": "330500", "registered_on": "2021-06-01",
        "is_key_app": "true", "is_province_assigned": "false", "has_standalone_app": "false",
        "updated_at": updated_at,
    }  # fmt: skip


def listing(app_id: str) -> Row:
    return {
        "listing_event_id": f"L{app_id}", "app_id": app_id, "release_end": "zheliban_app", "event_kind": "listed",
        "event_on": "2021-07-01", "updated_at": "2022-05-01T00:00:00",
    }  # fmt: skip


def usage_day(day: str, visitors: int) -> list[Row]:
    on = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    return [
        {
            "usage_on": on, "app_id": app_id, "app_name": app_id, "module_id": None, "release_end": "浙里办APP",
            "page_views_count": str(visitors * 3), "visitors_count": str(visitors), "starts_count": "4",
            "completions_count": "3", "rating_5_count": "2", "rating_1_count": None,
        }
        for app_id in ("A1", "A2")
    ]  # fmt: skip


def call(day: str, calls: int, updated_at: str) -> Row:
    return {
        "call_on": f"{day[:4]}-{day[4:6]}-{day[6:]}", "data_resource_id": "R1", "app_id": "A1",
        "calls_count": str(calls), "failed_calls_count": "1", "updated_at": updated_at,
    }  # fmt: skip


@dataclass(frozen=True)
class Delivery:
    """One batch, as its source would deliver it; a second one of a day is its next revision."""

    source: str
    entity: str
    day: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Night:
    """Admission and models; ``is_published`` when a version came out, which empties what is pending."""

    is_published: bool


Step = Delivery | Night

REGISTRY: tuple[Step, ...] = (
    Delivery("irs", "department", "20220530", (DEPARTMENT,)),
    Delivery("irs", "app", "20220530", (app("A1", "甲"), app("A2", "乙"))),
    Delivery("irs", "listing_event", "20220530", (listing("A1"), listing("A2"))),
)

# Late data, a redelivery of a day and of another month, a changed record, a date whose rows all break a rule,
# and a night that was not published, so that its dates wait for the next one.
KNOWN_HISTORY: tuple[Step, ...] = (
    Delivery("zheliban", "usage", "20220531", tuple(usage_day("20220531", 50))),
    Delivery("zheliban", "usage", "20220602", tuple(usage_day("20220602", 70))),
    Delivery("irs", "interface_call", "20220602", (call("20220602", 5, "2022-06-02T09:00:00"),)),
    Night(is_published=True),
    Delivery("zheliban", "usage", "20220603", tuple(usage_day("20220603", 5))),
    Delivery("zheliban", "usage", "20220601", tuple(usage_day("20220601", 60))),
    Delivery("irs", "app", "20220601", (app("A1", "甲（新）", "2022-06-01T09:00:00"),)),
    Night(is_published=False),
    Delivery("zheliban", "usage", "20220531", tuple(usage_day("20220531", 55))),
    Delivery("zheliban", "usage", "20220602", tuple(usage_day("20220602", -1))),
    Delivery("irs", "interface_call", "20220603", (call("20220531", 7, "2022-06-03T09:00:00"),)),
    Delivery("zheliban", "usage", "20220530", tuple(usage_day("20220530", 40))),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Step, ...]:
    """Two or three nights, published or not, each after deliveries of any days in any order, again and late."""
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 2))):
        steps += draw(st.lists(deliveries, min_size=1, max_size=4))
        steps.append(Night(draw(st.booleans())))
    return (*steps, *draw(st.lists(deliveries, min_size=1, max_size=4)))


days = st.sampled_from(USAGE_DAYS)
deliveries = st.one_of(
    st.builds(
        lambda day, visitors: Delivery("zheliban", "usage", day, tuple(usage_day(day, visitors))),
        days,
        st.sampled_from([-1, 0, 5, 50]),
    ),
    st.builds(
        lambda day, of_day, calls: Delivery(
            "irs", "interface_call", day, (call(of_day, calls, f"2022-{day[4:6]}-{day[6:]}T09:00:00"),)
        ),
        days,
        days,
        st.sampled_from([1, 9]),
    ),
    st.builds(
        lambda day, name: Delivery("irs", "app", day, (app("A1", name, f"2022-{day[4:6]}-{day[6:]}T08:00:00"),)),
        days,
        st.sampled_from(["甲", "甲（新）"]),
    ),
)


@pytest.fixture
def make_city_installation(tmp_path: Path) -> Callable[[], Installation]:
    """An installation with the real catalogue and the real dbt project."""
    numbers = itertools.count()
    catalogue_paths = (PROJECT_ROOT / "config" / "sources.yml",)

    def make() -> Installation:
        settings = Settings(
            home=tmp_path / f"home{next(numbers)}", memory_limit="1GB", threads=2, catalogue_paths=catalogue_paths
        )
        return Installation(settings, load_catalogue(settings))

    return make


def build(installation: Installation) -> None:
    outcome = build_models(installation.settings, run_id="test")
    assert outcome.verdict in ("good", "warning"), outcome.message


def marts(installation: Installation) -> dict[str, list[tuple[Any, ...]]]:
    tables = installation.rows(
        "select table_schema || '.' || table_name, list(column_name order by ordinal_position)"
        " from information_schema.columns where table_schema in ('marts', 'evaluation') group by all order by all"
    )
    return {
        table: installation.rows(
            f"select {', '.join(name for name in columns if name not in OF_RUNS)} from {table} order by all"
        )
        for table, columns in tables
        if table.split(".")[1] not in TABLES_OF_RUNS
    }


class History:
    """Plays steps on one installation; deliveries of one partition count up as landing numbers them."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._revisions: dict[tuple[str, str, str], int] = {}

    def play(self, steps: tuple[Step, ...], *, with_nights: bool = True) -> None:
        for step in steps:
            if isinstance(step, Delivery):
                key = (step.source, step.entity, step.day)
                self._revisions[key] = self._revisions.get(key, 0) + 1
                self._installation.deliver(*key, step.rows, revision=self._revisions[key])
            elif with_nights:
                self._installation.admit()
                build(self._installation)
                if step.is_published:
                    self._installation.write("delete from control.pending_date")


def differing(ours: dict[str, list[Any]], theirs: dict[str, list[Any]]) -> list[str]:
    assert ours.keys() == theirs.keys()
    return [table for table in ours if ours[table] != theirs[table]]


def marts_of_one_rebuild(installation: Installation, steps: tuple[Step, ...]) -> dict[str, list[tuple[Any, ...]]]:
    History(installation).play(steps, with_nights=False)
    installation.admit()
    build(installation)
    return marts(installation)


@pytest.mark.soak
@settings(
    max_examples=6,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories())
def test_any_nights_with_late_and_corrected_data_give_the_marts_of_one_rebuild(
    make_city_installation: Callable[[], Installation], history: tuple[Step, ...]
) -> None:
    lived = make_city_installation()
    History(lived).play((*REGISTRY, *history, Night(is_published=True)))
    assert differing(marts(lived), marts_of_one_rebuild(make_city_installation(), (*REGISTRY, *history))) == []


@pytest.mark.soak
def test_a_history_with_every_kind_of_late_data_gives_the_marts_of_one_rebuild(
    make_city_installation: Callable[[], Installation],
) -> None:
    lived = make_city_installation()
    history = History(lived)
    first_night = next(number for number, step in enumerate(KNOWN_HISTORY) if isinstance(step, Night)) + 1
    history.play((*REGISTRY, *KNOWN_HISTORY[:first_night]))
    first = marts(lived)
    history.play((*KNOWN_HISTORY[first_night:], Night(is_published=True)))
    ours = marts(lived)
    assert differing(ours, marts_of_one_rebuild(make_city_installation(), (*REGISTRY, *KNOWN_HISTORY))) == []
    # The comparison says something: the later nights changed what the first one built.
    assert {"marts.fct_app_usage_day", "marts.app_usage_month", "marts.resource_use_month"} <= set(
        differing(ours, first)
    )
