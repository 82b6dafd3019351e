"""Security notices of apps: found by inspection, or reported by the owner."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from oneledger.city.apps import App
from oneledger.city.draws import Draw

D = dt.date
KINDS = ("vulnerability", "weak_password", "unfiled_service", "data_leak", "other")
PERIOD = (D(2022, 7, 1), D(2022, 9, 30))
# Inspection notices of the first round's quarter, by tier: how many at least and at most.
_INSPECTED = {"five": (0, 0), "four": (0, 1), "three": (0, 2), "none": (1, 3)}


@dataclass(frozen=True)
class Notice:
    """One security notice; ``reported_by`` is ``self`` or ``inspection``."""

    notice_id: str
    app: App
    noticed_on: dt.date
    kind: str
    due_on: dt.date
    mended_on: dt.date | None
    reported_by: str


def draw_notices(draw: Draw, apps: list[App]) -> list[Notice]:
    """Notices of 2021 and 2022. Some are mended late, a few of the worst apps' not at all."""
    notices: list[Notice] = []
    for app in apps:
        first = app.first_listed_on
        if first is None:
            continue
        drawn: list[tuple[str, dt.date]] = []
        least, most = _INSPECTED.get(app.tier or "", (0, 0))
        for number in range(draw.whole(least, most, app.app_id, "inspected")):
            drawn.append(("inspection", draw.day(PERIOD[0], D(2022, 9, 12), app.app_id, "inspected", number)))
        if draw.chance(0.12, app.app_id, "inspected before"):
            drawn.append(("inspection", draw.day(D(2021, 2, 1), D(2022, 5, 15), app.app_id, "inspected before")))
        for number in range(draw.whole(0, 2, app.app_id, "self")):
            drawn.append(("self", draw.day(D(2021, 3, 1), D(2022, 10, 20), app.app_id, "self", number)))
        known = [(by, day) for by, day in drawn if day > first]
        for number, (by, day) in enumerate(sorted(known, key=lambda one: one[1]), start=1):
            notices.append(_notice(draw, app, number, by, day))
    return notices


def _notice(draw: Draw, app: App, number: int, reported_by: str, day: dt.date) -> Notice:
    key = (app.app_id, "notice", number)
    due = day + dt.timedelta(days=draw.whole(10, 30, *key, "due"))
    took = draw.whole(2, (due - day).days, *key, "took")
    mended: dt.date | None = day + dt.timedelta(days=took)
    is_in_round = reported_by == "self" or day >= PERIOD[0]
    if is_in_round and app.tier in ("three", "none") and draw.chance(0.3, *key, "late"):
        mended = due + dt.timedelta(days=draw.whole(3, 40, *key, "late"))
        if app.tier == "none" and draw.chance(0.4, *key, "unmended"):
            mended = None
    kind = draw.pick(KINDS, *key, "kind")
    return Notice(f"AQ{app.number:05d}{number:02d}", app, day, kind, due, mended, reported_by)


def breaches_of(notices: list[Notice]) -> dict[str, int]:
    """Breaches by app in the first round's quarter: each inspection notice, and again when not mended in time."""
    first, last = PERIOD
    found: dict[str, int] = {}
    for notice in notices:
        if notice.reported_by != "inspection" or notice.noticed_on > last:
            continue
        mended = notice.mended_on or D.max
        count = (notice.noticed_on >= first) + (notice.due_on < last and mended > notice.due_on and mended >= first)
        found[notice.app.app_id] = found.get(notice.app.app_id, 0) + count
    return found
