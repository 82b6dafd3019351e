"""Random sharing requests, and the two clocks counted the slow way, day by day."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import chinese_calendar

FIRST = dt.datetime(2021, 1, 4)
AS_OF_END = dt.datetime(2022, 11, 1)


def resources() -> list[dict[str, Any]]:
    return [
        {"data_resource_id": "free", "resource_name": "法人库", "department_id": "police",
         "sharing_kind": "unconditional", "published_on": dt.date(2020, 6, 1)},
        {"data_resource_id": "asked", "resource_name": "人口库", "department_id": "clinic",
         "sharing_kind": "conditional", "published_on": dt.date(2021, 12, 1)},
        {"data_resource_id": "hidden", "resource_name": "未发布", "department_id": "clinic",
         "sharing_kind": "conditional", "published_on": None},
    ]  # fmt: skip


def random_requests(count: int = 500, seed: int = 20221031) -> list[dict[str, Any]]:
    """Requests of both kinds; some undecided, some rejected, some approved and not opened."""
    drawn = random.Random(seed)
    requests = []
    for number in range(count):
        applied = FIRST + dt.timedelta(minutes=drawn.randrange(660 * 24 * 60))
        decided = applied + dt.timedelta(minutes=drawn.randrange(25 * 24 * 60))
        opened = decided + dt.timedelta(seconds=drawn.randrange(1_200))
        request: dict[str, Any] = {
            "sharing_request_id": f"q{number:04d}",
            "app_id": drawn.choice([None, "traffic", "given"]),
            "department_id": "police",
            "data_resource_id": drawn.choice(["free", "asked", "hidden", "gone"]),
            "request_kind": drawn.choice(["batch", "interface"]),
            "applied_at": applied,
            "updated_at": applied,
        }
        fate = drawn.choices(["open", "rejected", "approved", "opened"], [1, 1, 1, 7])[0]
        if decided >= AS_OF_END or opened >= AS_OF_END:
            fate = "open"
        if fate == "rejected":
            request["rejected_at"] = decided
        elif fate != "open":
            request["approved_at"] = decided
            if fate == "opened":
                request["opened_at"] = opened
        requests.append(request)
    return requests


def working_days(earlier: dt.datetime, later: dt.datetime) -> int:
    """Working days after the first day through the last, counted one by one."""
    day, count = earlier.date(), 0
    while day < later.date():
        day += dt.timedelta(days=1)
        count += chinese_calendar.is_workday(day)
    return count
