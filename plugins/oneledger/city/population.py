"""One city at scale 1, drawn from its seed: what all its source systems agree on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from oneledger.city.apps import App, draw_apps
from oneledger.city.departments import Department, draw_departments
from oneledger.city.draws import Draw
from oneledger.city.first_round import settle_first_round
from oneledger.city.modules import Module, draw_modules
from oneledger.city.offerings import (
    Component,
    FutureUnit,
    Promotion,
    draw_components,
    draw_future_units,
    draw_promotions,
)
from oneledger.city.security import Notice, draw_notices
from oneledger.city.sharing import Request, Resource, draw_requests, draw_resources


@dataclass(frozen=True)
class Population:
    """Everything that the registry, the portals and the workbooks refer to, up to the month of the last day."""

    draw: Draw
    departments: list[Department]
    apps: list[App]
    modules: list[Module]
    resources: list[Resource]
    requests: list[Request]
    components: list[Component]
    future_units: list[FutureUnit]
    promotions: list[Promotion]
    notices: list[Notice]


def draw_population(seed: int, last: dt.date) -> Population:
    draw = Draw(seed)
    departments = draw_departments()
    apps = draw_apps(draw, departments)
    resources = draw_resources(draw, departments)
    modules = draw_modules(draw, apps)
    notices = draw_notices(draw, apps)
    settle_first_round(draw, departments, apps, modules, resources, notices)
    return Population(
        draw,
        departments,
        apps,
        modules,
        resources,
        draw_requests(draw, apps, departments, resources, last),
        draw_components(draw, departments),
        draw_future_units(draw, apps),
        draw_promotions(draw, apps),
        notices,
    )
