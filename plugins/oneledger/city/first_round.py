"""The first evaluation round: what the rules will look at of each app, and the quality that its tier then needs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from oneledger.city.apps import App, own_app_share
from oneledger.city.departments import Department
from oneledger.city.draws import Draw
from oneledger.city.modules import Module
from oneledger.city.projects import draw_projects
from oneledger.city.scoring import Circumstances, draw_quality
from oneledger.city.security import PERIOD, Notice, breaches_of
from oneledger.city.sharing import CUT_OFF, Resource, draw_requests

D = dt.date
# Links made after the cut-off, yet known when the reference city ends, take their share of a project's money.
LINKS_KNOWN_ON = D(2022, 10, 31)


@dataclass(frozen=True)
class _Surroundings:
    """By app: breaches, module months without data, project money; by department: published share of its data."""

    breaches: dict[str, int]
    missing_module_months: dict[str, int]
    money_wan: dict[str, float]
    published_share: dict[str, float]
    callers: set[str]


def settle_first_round(
    draw: Draw, departments: list[Department], apps: list[App], modules: list[Module], resources: list[Resource],
    notices: list[Notice],
) -> None:  # fmt: skip
    """Give each app of the first round the quality that its tier needs. Nothing here depends on the city's last day."""
    around = _Surroundings(
        breaches_of(notices),
        _missing_module_months(modules),
        _money(draw, departments, apps),
        _published(resources),
        {
            request.app.app_id
            for request in draw_requests(draw, apps, departments, resources, CUT_OFF)
            if request.app and request.kind == "interface" and request.opened_at and request.opened_at.date() < CUT_OFF
        },
    )
    for app in apps:
        if app.tier is not None:
            app.quality = draw_quality(
                draw, app.app_id, app.tier, _circumstances(draw, app, around),
                is_low_use=app.role in ("low_use", "seasonal"),
            )  # fmt: skip


def _circumstances(draw: Draw, app: App, around: _Surroundings) -> Circumstances:
    on_portal = [listing for listing in app.listings if listing.release_end != "standalone_app"]
    days = max(_days(listing.listed_on, listing.delisted_on) for listing in on_portal)
    at_end = [one for one in on_portal if one.listed_on <= PERIOD[1] and (one.delisted_on or D.max) > PERIOD[1]]
    visitors = float(days) * (app.provisioned if app.side == "governance" else 1)
    if app.has_standalone:
        visitors += _days(PERIOD[0], None) * own_app_share(draw, app)
    return Circumstances(
        side=app.side,
        family=app.family,
        sharing=app.sharing,
        online_share=days / _days(PERIOD[0], None),
        ends_count=len({listing.release_end for listing in at_end}),
        breaches_count=around.breaches.get(app.app_id, 0),
        missing_module_months=around.missing_module_months.get(app.app_id, 0),
        calls_interfaces=app.app_id in around.callers,
        visitors_per_level=visitors,
        money_wan=around.money_wan.get(app.app_id),
        published_share=around.published_share.get(app.department.department_id),
    )


def _days(first: dt.date, until: dt.date | None) -> int:
    """Days of the quarter from ``first`` to the day before ``until``."""
    last = min(PERIOD[1] + dt.timedelta(days=1), until or D.max)
    return max(0, (last - max(first, PERIOD[0])).days)


def _missing_module_months(modules: list[Module]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in modules:
        if part.gap:
            months = sum(part.gap[0] <= D(2022, month, 1) and part.gap[1] >= D(2022, month, 28) for month in (7, 8, 9))
            found[part.app.app_id] = found.get(part.app.app_id, 0) + months
    return found


def _money(draw: Draw, departments: list[Department], apps: list[App]) -> dict[str, float]:
    found: dict[str, float] = {}
    for project in draw_projects(draw, departments, apps):
        known = [(app, linked_on) for app, linked_on in project.apps if linked_on <= LINKS_KNOWN_ON]
        for app, linked_on in known:
            if linked_on <= CUT_OFF:
                found[app.app_id] = found.get(app.app_id, 0.0) + project.budget_wan / len(known)
    return found


def _published(resources: list[Resource]) -> dict[str, float]:
    held: dict[str, list[bool]] = {}
    for resource in resources:
        held.setdefault(resource.department.department_id, []).append(resource.published_on is not None)
    return {department: sum(published) / len(published) for department, published in held.items()}
