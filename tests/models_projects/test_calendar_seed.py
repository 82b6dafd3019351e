"""The committed calendar is the package's, and the calendar model counts working days as the package does."""

from __future__ import annotations

import datetime as dt

import chinese_calendar
import pytest

from oneledger.settings import PROJECT_ROOT
from oneledger.warehouse.working_days import seed_path, seed_text

from .small_warehouse import SmallWarehouse


def test_the_seed_of_holidays_is_what_the_package_knows() -> None:
    assert seed_path(PROJECT_ROOT / "dbt_project").read_text(encoding="utf-8") == seed_text()


def test_every_day_of_the_calendar_is_worked_or_not_as_the_package_says(city: SmallWarehouse) -> None:
    days = city.rows("select calendar_on, is_working_day from marts.dim_calendar where not is_provisional")
    assert {day.year for day, _ in days} == set(range(2020, 2027))
    different = [day for day, is_worked in days if chinese_calendar.is_workday(day) != is_worked]
    assert different == []


def test_days_after_the_last_known_year_are_provisional(city: SmallWarehouse) -> None:
    (first, last) = city.rows("select min(calendar_on), max(calendar_on) from marts.dim_calendar where is_provisional")[
        0
    ]
    assert (first, last) == (dt.date(2027, 1, 1), dt.date(2027, 12, 31))


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ("2022-07-01", "2022-07-01", 0),
        ("2022-07-01", "2022-07-04", 1),  # Friday to Monday
        ("2022-07-02", "2022-07-04", 1),  # a Saturday counts like the Friday before it
        ("2022-09-30", "2022-10-08", 1),  # National Day, and the Saturday that makes up for it
        ("2022-01-29", "2022-02-07", 2),  # Spring Festival between two make-up days and a Monday
    ],
)
def test_working_days_between_two_days_skip_holidays(
    city: SmallWarehouse, earlier: str, later: str, expected: int
) -> None:
    sql = f"""
        select last_day.working_day_number - first_day.working_day_number
        from marts.dim_calendar as first_day, marts.dim_calendar as last_day
        where first_day.calendar_on = date '{earlier}' and last_day.calendar_on = date '{later}'
    """
    assert city.rows(sql) == [(expected,)]


def test_working_days_are_those_that_the_package_counts(city: SmallWarehouse) -> None:
    numbers = dict(city.rows("select calendar_on, working_day_number from marts.dim_calendar where not is_provisional"))
    start = dt.date(2021, 9, 18)
    for length in (1, 15, 40, 200, 366):
        end = start + dt.timedelta(days=length)
        worked = chinese_calendar.get_workdays(start + dt.timedelta(days=1), end)
        assert numbers[end] - numbers[start] == len(worked)
