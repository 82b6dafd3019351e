"""Interface calls by month: only changed months are built again, and they equal a full rebuild."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from .small_warehouse import SmallWarehouse

SELECTED = "+int_resource_call_month"
USE = """
    select data_resource_id, month, calls_count, failed_calls_count, calling_apps_count
    from intermediate.int_resource_call_month order by all
"""


def call(resource: str, day: str, calls: int, app: str = "a1", failed: int = 0, seen: int = 1) -> dict[str, object]:
    on = dt.date.fromisoformat(day)
    return {
        "call_on": on, "data_resource_id": resource, "app_id": app, "calls_count": calls, "failed_calls_count": failed,
        "updated_at": dt.datetime.combine(on, dt.time()) + dt.timedelta(days=seen),
    }  # fmt: skip


@pytest.fixture()
def warehouse(tmp_path: Path) -> SmallWarehouse:
    built = SmallWarehouse(tmp_path)
    built.set_as_of(dt.date(2022, 10, 31))
    built.admit(
        "irs__interface_call",
        call("x1", "2022-07-03", 4),
        call("x1", "2022-08-02", 8, failed=2),
        call("x1", "2022-08-03", 2),
        call("x1", "2022-08-03", 0, app="a2"),
        call("x1", "2022-09-03", 5),
        call("x2", "2022-10-03", 7),
    )
    built.dbt("run", "--select", SELECTED)
    return built


def change(warehouse: SmallWarehouse, sql: str) -> None:
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(sql)


def test_late_corrected_and_withdrawn_calls_give_what_a_full_rebuild_gives(warehouse: SmallWarehouse) -> None:
    # Marks the months that stand, so that a month that is built again can be told from one that is not.
    change(warehouse, "update intermediate.int_resource_call_month set calling_apps_count = 99")
    warehouse.admit("irs__interface_call", call("x2", "2022-10-04", 1, seen=2))
    change(
        warehouse,
        "update admitted.irs__interface_call set calls_count = 9, updated_at = updated_at + interval 3 day "
        "where call_on = date '2022-08-02'",
    )
    change(warehouse, "delete from admitted.irs__interface_call where call_on = date '2022-07-03'")
    warehouse.dbt("run", "--select", SELECTED)
    expected = [
        ("x1", dt.date(2022, 8, 1), 11, 2, 1),
        ("x1", dt.date(2022, 9, 1), 5, 0, 99),
        ("x2", dt.date(2022, 10, 1), 8, 0, 1),
    ]
    assert warehouse.rows(USE) == expected
    warehouse.dbt("run", "--select", SELECTED, "--full-refresh")
    assert warehouse.rows(USE) == [row if row[4] != 99 else (*row[:4], 1) for row in expected]
