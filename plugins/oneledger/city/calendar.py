"""The city's calendar: working days with the State Council's holidays and make-up working days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache

import chinese_calendar


@lru_cache(maxsize=8192)
def is_working_day(day: dt.date) -> bool:
    """Whether offices work; for years whose holidays are not announced, Monday to Friday."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.isoweekday() <= 5


def days(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    for offset in range((last - first).days + 1):
        yield first + dt.timedelta(days=offset)


def months(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    """The first days of the months that have a day in the range."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + dt.timedelta(days=32)).replace(day=1)


def month_end(day: dt.date) -> dt.date:
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)


def next_working_day(day: dt.date) -> dt.date:
    """The day itself when offices work, else the next day on which they do."""
    while not is_working_day(day):
        day += dt.timedelta(days=1)
    return day


def add_working_days(day: dt.date, count: int) -> dt.date:
    """The day ``count`` working days later; 0 gives the day itself."""
    for _ in range(count):
        day = next_working_day(day + dt.timedelta(days=1))
    return day


def chinese_date(day: dt.date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"
