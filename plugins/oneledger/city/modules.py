"""Modules, matters and scenes of the apps, and which part of an app's use falls on each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from oneledger.city import names
from oneledger.city.apps import App
from oneledger.city.calendar import month_end
from oneledger.city.draws import Draw
from oneledger.city.duplicates import MATTERS

D = dt.date
# A weak matter is done in the own APP; only these shares of an app's visitors meet it.
_WEAK_WEIGHT_IN_PORTAL, _WEAK_WEIGHT_IN_OWN_APP = 0.04, 0.55


@dataclass(frozen=True)
class Module:
    """One part of an app.

    Attributes:
        weight: share of the app's visitors on a portal end; the weights of an app add up to less than 1.
        own_weight: the same in the app's own APP.
        gap: first and last day of the months in which the part sends no rows.
    """

    number: int
    module_id: str
    app: App
    name: str
    kind: str
    weight: float
    own_weight: float
    gap: tuple[dt.date, dt.date] | None


def draw_modules(draw: Draw, apps: list[App]) -> list[Module]:
    """The parts of all apps; numbers are unique within one city."""
    modules: list[Module] = []
    for app in apps:
        wanted = _names_and_kinds(draw, app)
        shares = [draw.between(0.5, 2.0, app.app_id, "weight", number) for number in range(len(wanted))]
        covered = draw.between(0.75, 0.92, app.app_id, "covered")
        for number, (name, kind) in enumerate(wanted):
            weight = own_weight = round(covered * shares[number] / sum(shares), 4)
            if name == app.weak_matter:
                weight, own_weight = _WEAK_WEIGHT_IN_PORTAL, _WEAK_WEIGHT_IN_OWN_APP
            elif app.weak_matter:
                own_weight = round(0.35 * own_weight, 4)
            modules.append(
                Module(
                    len(modules) + 1,
                    f"{app.app_id}-M{number + 1:02d}",
                    app,
                    name,
                    kind,
                    weight,
                    own_weight,
                    _gap(draw, app, number),
                )
            )
    return modules


def _names_and_kinds(draw: Draw, app: App) -> list[tuple[str, str]]:
    key = (app.app_id, "modules")
    if app.role == "standard":
        scenes = [*names.SCENES[:2], *draw.shuffled(names.SCENES[2:], *key)[: draw.whole(2, 4, *key)]]
        return [*((scene, "scene") for scene in scenes), ("首页服务", "module")]
    own = MATTERS.get(app.name, ())
    if app.role == "look_alike":
        return [(name, "module" if app.side == "governance" else "matter") for name in own]
    if app.side == "governance":
        parts = draw.shuffled(names.GOVERNANCE_MODULES, *key)[: draw.whole(2, 3, *key)]
        return [(part, "module") for part in (*own, *parts[len(own) :])]
    matters = draw.shuffled(names.MATTERS, *key)[: draw.whole(3, 5, *key)]
    matters = [*own, *matters[len(own) :]]
    first = [(app.weak_matter, "matter")] if app.weak_matter else []
    return [*first, *((matter, "matter") for matter in matters), ("我的服务", "module")]


def _gap(draw: Draw, app: App, number: int) -> tuple[dt.date, dt.date] | None:
    """Whole months without data: one part of each weak app, and a few parts of the others."""
    if app.weak_matter:
        return (D(2022, 4, 1), D(2022, 9, 30)) if number == 2 else None
    if app.role in ("county", "low_use") or not draw.chance(0.014, app.app_id, "gap", number):
        return None
    first = D(draw.pick((2021, 2022), app.app_id, "gap", number, "year"), draw.whole(1, 8, app.app_id, number), 1)
    last = month_end(first + dt.timedelta(days=28 * draw.whole(0, 2, app.app_id, "gap", number, "months")))
    return first, last
