"""A night that rebuilds only what changed leaves the marts that a rebuild from nothing leaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .usage_city import UsageCity, small_city


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> UsageCity:
    """Three nights on one warehouse; what the tests below compare is the state after the last."""
    city = small_city(Path(tmp_path_factory.mktemp("nights")))
    city.build()
    city.publish()
    return city


def test_late_redelivered_and_withdrawn_days_end_like_one_full_rebuild(nights: UsageCity) -> None:
    nights.admit_usage("lost", "zheliban_app", day("2022-07-20"), day("2022-07-21"), 500)
    nights.admit_usage("stray", "zheliban_app", day("2022-09-01"), day("2022-09-02"), 7)
    nights.withdraw_usage(day("2022-05-01"), day("2022-05-31"))
    nights.admit("irs__promotion_event", {
        "promotion_event_id": "t2", "event_name": "第2期", "held_on": day("2022-08-10"), "viewers_count": 5,
        "app_ids": "county",
    })  # fmt: skip
    nights.execute("update admitted.irs__promotion_event set app_ids = 'traffic;desk' where promotion_event_id = 't1'")
    nights.build()
    after_night = nights.content()
    assert not any(row[2] == day("2022-05-01") and row[10] for row in after_night["marts.app_usage_month"])
    assert {row[:2] for row in after_night["marts.promotion_effect"]} == {
        ("t1", "traffic"), ("t1", "desk"), ("t2", "county")
    }  # fmt: skip
    nights.build("--full-refresh")
    rebuilt = nights.content()
    for table, rows in rebuilt.items():
        assert after_night[table] == rows, table
    assert after_night.keys() == rebuilt.keys()


@contextmanager
def spoiled(nights: UsageCity, on: str) -> Iterator[None]:
    """A day whose admitted rows say a million visitors while the block runs, and nobody told the models."""
    nights.execute(f"create or replace table admitted.kept_aside as from admitted.usage where usage_on = date '{on}'")
    nights.execute(f"update admitted.usage set visitors_count = 1000000 where usage_on = date '{on}'")
    try:
        yield
    finally:
        nights.execute(f"delete from admitted.usage where usage_on = date '{on}'")
        nights.execute("insert into admitted.usage by name from admitted.kept_aside")
        nights.execute("drop table admitted.kept_aside")


def test_a_night_does_not_read_the_days_of_other_months(nights: UsageCity) -> None:
    nights.publish()
    before = dict(nights.rows("select month, sum(visitors_count) from marts.app_usage_month group by month"))
    # Without a pending date nobody said that June changed: if the night still saw it, it read all of history.
    with spoiled(nights, "2022-06-15"):
        nights.admit_usage("lost", "zheliban_app", day("2022-10-31"), day("2022-10-31"), 103)
        nights.build()
    after = dict(nights.rows("select month, sum(visitors_count) from marts.app_usage_month group by month"))
    assert after == {**before, day("2022-10-01"): before[day("2022-10-01")] + 100}
    compiled = (
        nights.folder / "target/compiled/oneledger/models/intermediate/usage/int_app_usage_month.sql"
    ).read_text()
    assert "date '2022-10-01'" in compiled and "2022-06" not in compiled


def test_a_day_that_is_new_to_its_month_is_added_and_the_other_days_are_not_read(nights: UsageCity) -> None:
    nights.publish()
    nights.admit_usage("lost", "zheliban_app", day("2022-11-01"), day("2022-11-01"), 3)
    nights.build()
    nights.publish()
    # Nobody said that the first of November changed: if the night still saw it, it read the whole month.
    with spoiled(nights, "2022-11-01"):
        nights.admit_usage("lost", "zheliban_app", day("2022-11-02"), day("2022-11-02"), 4)
        nights.admit_usage("desk", "zhezhengding", day("2022-11-02"), day("2022-11-02"), 9)
        nights.build()
    grown = nights.rows(
        "select app_id, visitors_count, reported_days_mask, active_users_days_count"
        " from intermediate.int_app_usage_month where month = date '2022-11-01' and module_id = '' order by 1"
    )
    assert [row[:3] for row in grown] == [("desk", 9, 2), ("lost", 7, 3)]
    after_nights = nights.content()
    nights.build("--full-refresh")
    rebuilt = nights.content()
    assert after_nights["marts.app_usage_month"] == rebuilt["marts.app_usage_month"]
    assert after_nights["marts.matter_usage_month"] == rebuilt["marts.matter_usage_month"]


def test_a_night_with_nothing_new_changes_nothing(nights: UsageCity) -> None:
    nights.publish()
    before = nights.content()
    nights.build()
    assert nights.content() == before
