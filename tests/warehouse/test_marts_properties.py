"""Idea 3 of the design carried to the marts: incremental nights give the marts of one full rebuild."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


def deliver_registry(installation: Installation) -> None:
    installation.deliver("irs", "department", "20220530", [DEPARTMENT])
    installation.deliver("irs", "app", "20220530", [app("A1", "甲"), app("A2", "乙")])
    installation.deliver("irs", "listing_event", "20220530", [listing("A1"), listing("A2")])


Step = Callable[[Installation], Any]

# Late data, a redelivery of a day and of another month, a changed record, a date whose rows all break a rule.
NIGHTS: tuple[tuple[Step, ...], ...] = (
    (
        deliver_registry,
        lambda i: i.deliver("zheliban", "usage", "20220531", usage_day("20220531", 50)),
        lambda i: i.deliver("zheliban", "usage", "20220602", usage_day("20220602", 70)),
    ),
    (
        lambda i: i.deliver("zheliban", "usage", "20220603", usage_day("20220603", 5)),
        lambda i: i.deliver("zheliban", "usage", "20220601", usage_day("20220601", 60)),
        lambda i: i.deliver("irs", "app", "20220601", [app("A1", "甲（新）", "2022-06-01T09:00:00")]),
    ),
    (
        lambda i: i.deliver("zheliban", "usage", "20220531", usage_day("20220531", 55), revision=2),
        lambda i: i.deliver("zheliban", "usage", "20220602", usage_day("20220602", -1), revision=2),
        lambda i: i.deliver("zheliban", "usage", "20220530", usage_day("20220530", 40)),
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


def test_nights_with_late_and_corrected_data_give_the_marts_of_one_rebuild(
    make_city_installation: Callable[[], Installation],
) -> None:
    lived, rebuilt = make_city_installation(), make_city_installation()
    for night, steps in enumerate(NIGHTS):
        for step in steps:
            step(lived)
        lived.admit()
        build(lived)
        if night == 0:
            first = marts(lived)
            # What publishing does once a version is out. The second night stays unpublished: its dates wait.
            lived.write("delete from control.pending_date")
    for step in itertools.chain.from_iterable(NIGHTS):
        step(rebuilt)
    rebuilt.admit()
    build(rebuilt)
    ours, theirs = marts(lived), marts(rebuilt)
    assert ours.keys() == theirs.keys()
    assert [table for table in ours if ours[table] != theirs[table]] == []
    # The comparison says something: the usage marts hold rows, and the later nights changed them.
    changed = {table for table in ours if ours[table] != first[table]}
    assert {"marts.fct_app_usage_day", "marts.app_usage_month"} <= changed
