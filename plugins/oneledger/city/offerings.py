"""Components, future communities and villages, and promotion broadcasts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from oneledger.city import names
from oneledger.city.apps import App
from oneledger.city.departments import Department
from oneledger.city.draws import Draw

D = dt.date
VIEWERS_TOGETHER = 800_000
# The last of the eleven was held before the reply of 10 November 2022.
PROMOTED_ON = (
    D(2021, 12, 9), D(2022, 2, 24), D(2022, 3, 23), D(2022, 4, 21), D(2022, 5, 26), D(2022, 6, 23), D(2022, 7, 21),
    D(2022, 8, 18), D(2022, 9, 8), D(2022, 9, 22), D(2022, 10, 20),
)  # fmt: skip


@dataclass(frozen=True)
class Component:
    component_id: str
    name: str
    department: Department
    registered_on: dt.date
    listed_on: dt.date | None
    reusing_apps: tuple[tuple[dt.date, int], ...]


@dataclass(frozen=True)
class FutureUnit:
    unit_id: str
    name: str
    kind: str
    district_code: str
    app: App | None
    registered_on: dt.date


@dataclass(frozen=True)
class Promotion:
    event_id: str
    name: str
    held_on: dt.date
    viewers: int
    apps: tuple[App, ...]


def draw_components(draw: Draw, departments: list[Department]) -> list[Component]:
    """13 listed components and 4 that are not."""
    bureau = departments[0]
    components = []
    for number, name in enumerate((*names.COMPONENTS, *names.UNLISTED_COMPONENTS), start=1):
        registered = draw.day(D(2021, 9, 1), D(2022, 5, 31), "component", number)
        is_listed = name in names.COMPONENTS
        listed = draw.day(D(2022, 3, 1), D(2022, 10, 14), "component listed", number) if is_listed else None
        listed = max(listed, registered) if listed else None
        reuse = draw.whole(2, 18, "component reuse", number)
        known = ((registered, 0), (listed, reuse // 3), (max(D(2022, 10, 24), listed), reuse)) if listed else None
        owner = bureau if number <= 6 else draw.pick(departments[:32], "component owner", number)
        components.append(Component(f"C{number:03d}", name, owner, registered, listed, known or ((registered, 0),)))
    return components


def draw_future_units(draw: Draw, apps: list[App]) -> list[FutureUnit]:
    """22 communities and 14 villages with a listed standard app, 2 and 2 without one."""
    units = []
    for app in apps:
        if app.role == "standard":
            kind = "future_community" if app.name.startswith("未来社区") else "future_village"
            registered = app.registered_on
            unit_name = app.name.split("·")[1] + ("社区" if kind == "future_community" else "村")
            units.append(FutureUnit("", unit_name, kind, app.department.district_code, app, registered))
    for number, (kind, name) in enumerate(
        (("future_community", "碧浪社区"), ("future_community", "白鹭社区"), ("future_village", "顾渚村"),
         ("future_village", "荻港村"))
    ):  # fmt: skip
        code = draw.pick(tuple(names.DISTRICTS), "unit", number)
        units.append(FutureUnit("", name, kind, code, None, draw.day(D(2022, 3, 1), D(2022, 9, 1), "unit", number)))
    return [
        FutureUnit(f"W{number:03d}", u.name, u.kind, u.district_code, u.app, u.registered_on)
        for number, u in enumerate(units, start=1)
    ]


def draw_promotions(draw: Draw, apps: list[App]) -> list[Promotion]:
    """Eleven broadcasts, 800 000 viewers together, each for three listed service apps."""
    weights = [draw.between(0.6, 1.6, "viewers", number) for number in range(len(PROMOTED_ON))]
    viewers = [round(VIEWERS_TOGETHER * weight / sum(weights)) for weight in weights]
    viewers[-1] += VIEWERS_TOGETHER - sum(viewers)
    shown = [app for app in apps if app.role == "plain" and app.side == "service" and app.tier in ("four", "three")]
    promotions = []
    for number, held_on in enumerate(PROMOTED_ON):
        listed = [app for app in shown if (app.first_listed_on or D.max) < held_on]
        chosen = tuple(draw.shuffled(listed, "promotion", number)[:3])
        promotions.append(
            Promotion(f"T{number + 1:03d}", f"局长带你浙里办事·第{number + 1}期", held_on, viewers[number], chosen)
        )
    return promotions
