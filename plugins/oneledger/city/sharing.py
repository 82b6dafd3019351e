"""Data resources, sharing requests with their clocks, and the interfaces that are called."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from oneledger.city import names
from oneledger.city.apps import App
from oneledger.city.calendar import add_working_days, days, is_working_day, month_end, months
from oneledger.city.departments import Department
from oneledger.city.draws import Draw
from oneledger.city.duplicates import LOOK_ALIKES

D = dt.date
FIRST_MONTH = D(2021, 1, 1)
AUTOMATIC_OPENING_FROM = D(2022, 8, 1)
CUT_OFF = D(2022, 9, 30)
# (requests, of which for an interface) by month; other months are drawn.
_AGREED = {
    D(2021, 8, 1): (118, 41),
    D(2021, 9, 1): (127, 46),
    D(2022, 8, 1): (221, 84),
    D(2022, 9, 1): (253, 96),
}


@dataclass(frozen=True)
class Resource:
    resource_id: str
    name: str
    department: Department
    sharing_kind: str
    published_on: dt.date | None
    updated_at: dt.datetime


@dataclass(frozen=True)
class Request:
    request_id: str
    app: App | None
    department: Department
    resource: Resource
    kind: str
    applied_at: dt.datetime
    approved_at: dt.datetime | None
    opened_at: dt.datetime | None
    rejected_at: dt.datetime | None


def draw_resources(draw: Draw, departments: list[Department]) -> list[Resource]:
    """The catalogue of data resources; about one in twelve is not yet published."""
    providers = [department for department in departments if department.kind.endswith("department")]
    resources = []
    for number in range(220):
        key = ("resource", number)
        topic = names.RESOURCE_TOPICS[number % len(names.RESOURCE_TOPICS)]
        provider = draw.pick(providers, *key, "provider")
        kind = "unconditional" if draw.chance(0.58, *key, "kind") else "conditional"
        published: dt.date | None = draw.day(D(2019, 3, 1), D(2022, 8, 31), *key, "published")
        if kind == "conditional" and draw.chance(0.18, *key, "unpublished"):
            published = None
        if number < 120:
            published = draw.day(D(2019, 3, 1), D(2020, 12, 1), *key, "published")
        seen = dt.datetime.combine(published or D(2021, 3, 1), dt.time(10, 30)) + dt.timedelta(seconds=number)
        resources.append(
            Resource(
                f"R{number + 1:05d}", f"{provider.short_name}{topic}（{number + 1}）", provider, kind, published, seen
            )
        )
    return resources


def draw_requests(
    draw: Draw, apps: list[App], departments: list[Department], resources: list[Resource], last: dt.date
) -> list[Request]:
    """Sharing requests from January 2021 to the month of ``last``."""
    promised = _promised(draw, apps)
    applicants = [department for department in departments if department.kind.endswith("department")]
    requests: list[Request] = []
    for month in months(FIRST_MONTH, last):
        count, interface_count = _agreed(draw, month)
        due = promised.get(month, [])
        open_days = [day for day in days(month, month_end(month)) if is_working_day(day)]
        interfaces = set(draw.shuffled(range(count), month, "kinds")[:interface_count])
        fillers = _fillers(apps, month)
        usable = [r for r in resources if r.published_on is None or r.published_on <= month]
        for number in range(count):
            key = ("request", month, number)
            app = due[number] if number < len(due) else _filler(draw, fillers, *key)
            kind = "interface" if number in interfaces else "batch"
            is_promise = number < len(due)
            # A promise is kept early in its month, so that its approval is in before the cut-off.
            day = draw.pick(open_days[: len(open_days) // 2] if is_promise else open_days, *key, "day")
            department = app.department if app else draw.pick(applicants, *key, "department")
            resource = draw.pick(usable, *key, "resource")
            clocks = _clocks(draw, key, day, resource, app, is_promise=is_promise)
            request_id = f"SQ{month:%Y%m}{number + 1:04d}"
            requests.append(Request(request_id, app, department, resource, kind, *clocks))
    return [*requests, *_of_look_alikes(apps, requests)]


def _of_look_alikes(apps: list[App], requests: list[Request]) -> list[Request]:
    """An app that uses the data of the app beside it asks for the same resources, a month's end later."""
    by_name = {app.name: app for app in apps}
    found = []
    for number, one in enumerate((one for one in LOOK_ALIKES if one.shares_data), start=1):
        app = by_name[one.name]
        beside = {
            request.resource.resource_id: request
            for request in requests
            if request.app is by_name[one.beside] and request.approved_at is not None
            and request.applied_at.date() < CUT_OFF and request.applied_at.date().replace(day=1) not in _AGREED
        }  # fmt: skip
        for part, request in enumerate(beside.values(), start=1):
            request_id = f"SQ{request.applied_at:%Y%m}9{number}{part:02d}"
            found.append(replace(request, request_id=request_id, app=app, department=app.department))
    return found


def _agreed(draw: Draw, month: dt.date) -> tuple[int, int]:
    if month in _AGREED:
        return _AGREED[month]
    number = (month.year - 2021) * 12 + month.month - 1
    count = 66 + 4 * min(number, 40) + draw.whole(0, 12, "requests", month)
    return count, round(count * draw.between(0.34, 0.42, "interfaces", month))


def _promised(draw: Draw, apps: list[App]) -> dict[dt.date, list[App]]:
    """The one request that each app that shares must have, by the month in which it is made."""
    due: dict[dt.date, list[App]] = {}
    for app in apps:
        if app.sharing == "none":
            continue
        known = max(app.registered_on, FIRST_MONTH - dt.timedelta(days=1))
        earliest = (known.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        latest = max(earliest, D(2022, 6, 15))
        if app.asks_late:
            earliest, latest = D(2022, 8, 1), D(2022, 9, 30)
        elif app.role == "new_in_june":
            earliest, latest = D(2022, 7, 1), D(2022, 7, 31)
        month = draw.day(earliest, latest, app.app_id, "promised request").replace(day=1)
        due.setdefault(month, []).append(app)
    return due


def _fillers(apps: list[App], month: dt.date) -> list[App]:
    """Apps that may ask again in a month: they share, and those that asked late only from September."""
    return [
        app
        for app in apps
        if app.sharing != "none" and app.registered_on < month and not (app.asks_late and month < D(2022, 9, 1))
    ]


def _filler(draw: Draw, fillers: list[App], *key: object) -> App | None:
    return None if not fillers or draw.chance(0.12, *key, "no app") else draw.pick(fillers, *key, "app")


def _clocks(
    draw: Draw, key: tuple[object, ...], day: dt.date, resource: Resource, app: App | None, *, is_promise: bool
) -> tuple[dt.datetime, dt.datetime | None, dt.datetime | None, dt.datetime | None]:
    """Applied, approved, opened, rejected. A first-round app that only asked is never approved."""
    applied = _office_hours(draw, day, *key, "applied")
    limit = 2 if resource.sharing_kind == "unconditional" else 7
    took = draw.whole(0, limit, *key, "took")
    if draw.chance(0.1, *key, "late"):
        took += draw.whole(1, 8, *key, "late")
    if is_promise:
        took = min(took, 5)
    decided = _office_hours(draw, add_working_days(day, took), *key, "decided")
    if decided <= applied:
        decided = applied + dt.timedelta(minutes=draw.whole(20, 60, *key, "decided at once"))
    if app is not None and app.sharing == "asked":
        is_waiting = draw.chance(0.4, *key, "waiting")
        return applied, None, None, None if is_waiting else decided
    if not is_promise and draw.chance(0.04, *key, "rejected"):
        return applied, None, None, decided
    if not is_promise and draw.chance(0.012, *key, "forgotten"):
        return applied, None, None, None
    if decided.date() >= AUTOMATIC_OPENING_FROM:
        opened = decided + dt.timedelta(seconds=draw.whole(25, 585, *key, "opened"))
    else:
        opened = decided + dt.timedelta(minutes=draw.whole(25, 2 * 24 * 60, *key, "opened"))
    return applied, decided, opened, None


def _office_hours(draw: Draw, day: dt.date, *key: object) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(8, 30)) + dt.timedelta(seconds=draw.whole(0, 9 * 3600 - 1, *key, "time"))
