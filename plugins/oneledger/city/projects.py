"""The project library's projects and what happened to each: stages, reviews, links to apps."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from oneledger.city import names
from oneledger.city.apps import App
from oneledger.city.departments import Department
from oneledger.city.draws import Draw

D = dt.date
CITY_LEDGERS = {"S0": D(2021, 10, 18), "S1": D(2022, 1, 21)}
LEDGER_RELEASED_ON = {"S0": D(2021, 11, 5), "S1": D(2022, 7, 22)}
# Declared in autumn for the next budget year: (year of declaration, city projects, county projects).
_ORDINARY = ((2017, 160, 60), (2018, 190, 85), (2019, 210, 105), (2020, 230, 120), (2021, 220, 110), (2022, 117, 59))
_OF_LEDGER = {"S0": 46, "S1": 58, "S2": 23}
ASSESSED_COUNT = 10
# Indicators of the assessment in depth and their full points, by family.
_COMMON = (("规范管理", 15), ("数据共享", 15), ("安全保障", 10))
FAMILY_INDICATORS = {
    "major_application": (*_COMMON, ("重大改革成效", 25), ("应用效果", 20), ("创新推广", 15)),
    "application_system": (*_COMMON, ("应用效果", 30), ("用户满意度", 15), ("成本效益", 15)),
    "infrastructure": (*_COMMON, ("资源利用率", 30), ("服务稳定性", 20), ("成本效益", 10)),
    "operations": (*_COMMON, ("运维响应", 25), ("系统可用率", 20), ("成本效益", 15)),
}


@dataclass
class Project:
    """One IT project. Money in 万元. ``stages`` are (stage, entered on, due on) in the order of the life cycle."""

    number: int
    project_no: str
    name: str
    family: str
    level: str
    department: Department
    funding_source: str
    ledger_version: str | None
    declared_on: dt.date
    planned_accept_on: dt.date
    budget_wan: float
    released_on: dt.date | None = None
    stages: list[tuple[str, dt.date, dt.date | None]] = field(default_factory=list)
    apps: list[tuple[App, dt.date]] = field(default_factory=list)
    is_assessed: bool = False

    def entered(self, stage: str) -> dt.date | None:
        return next((on for name, on, _ in self.stages if name == stage), None)


def draw_projects(draw: Draw, departments: list[Department], apps: list[App]) -> list[Project]:
    """1793 projects: 1254 of the city, 539 of the counties."""
    city = [department for department in departments if department.level == "city"]
    county = [department for department in departments if department.level == "county"]
    projects: list[Project] = []
    for version, count in _OF_LEDGER.items():
        for _ in range(count):
            projects.append(_draw_project(draw, len(projects) + 1, city[:32], "city", version, None))
    for year, city_count, county_count in _ORDINARY:
        for _ in range(city_count):
            projects.append(_draw_project(draw, len(projects) + 1, city, "city", None, year))
        for _ in range(county_count):
            projects.append(_draw_project(draw, len(projects) + 1, county, "county", None, year))
    for project in projects:
        _draw_stages(draw, project)
    _link_apps(draw, projects, apps)
    _choose_assessed(draw, projects)
    return projects


def _draw_project(
    draw: Draw, number: int, owners: list[Department], level: str, version: str | None, year: int | None
) -> Project:
    key = ("project", number)
    weighted = [(owner, 1.0 if owner.kind.endswith("department") else 0.35) for owner in owners]
    department = draw.weighted(weighted, *key, "owner")
    family = draw.weighted(
        [("major_application", 0.15), ("application_system", 0.45), ("infrastructure", 0.18), ("operations", 0.22)],
        *key, "family",
    )  # fmt: skip
    if version is not None:
        family = "major_application" if draw.chance(0.6, *key, "family") else "application_system"
    declared = _declared(draw, version, year, *key)
    funding = draw.weighted(
        [("it_special_fund", 0.62), ("department_budget", 0.22), ("upper_level_grant", 0.09), ("self_raised", 0.07)],
        *key, "funding",
    )  # fmt: skip
    if version in ("S0", "S1"):
        funding = "it_special_fund"
    noun = draw.pick(names.PROJECT_NOUNS[family], *key, "noun")
    area = department.name.removeprefix("湖州市")
    name = f"{area}{noun}（{declared.year}年第{number}号）"
    size = {"major_application": (120, 900), "application_system": (30, 400), "infrastructure": (60, 700),
            "operations": (10, 120)}[family]  # fmt: skip
    budget = round(draw.between(size[0] ** 0.5, size[1] ** 0.5, *key, "budget") ** 2, 2)
    planned = declared + dt.timedelta(days=draw.whole(380, 760, *key, "planned"))
    return Project(
        number, f"XM{declared.year}{number:05d}", name, family, level, department, funding, version, declared, planned,
        budget,
    )  # fmt: skip


def _declared(draw: Draw, version: str | None, year: int | None, *key: object) -> dt.date:
    ranges = {
        "S0": (D(2021, 10, 19), D(2021, 10, 28)),
        "S1": (D(2022, 1, 24), D(2022, 6, 10)),
        "S2": (D(2022, 8, 8), D(2022, 10, 20)),
    }
    if version is not None:
        return draw.day(*ranges[version], *key, "declared")
    assert year is not None  # a project of no ledger belongs to a yearly round
    return draw.day(D(year, 8, 16), D(year, 10, 26), *key, "declared")


def _draw_stages(draw: Draw, project: Project) -> None:
    """The life cycle; some projects are turned down, some are late at a stage, some never finish."""
    key = ("stages", project.number)
    declared = project.declared_on
    project.stages.append(("declared", declared, None))
    if project.ledger_version == "S0":
        reviewed = draw.day(max(declared, D(2021, 10, 26)), D(2021, 11, 3), *key, "reviewed")
    elif project.ledger_version == "S1":
        reviewed = draw.day(max(declared, D(2022, 3, 1)) + dt.timedelta(days=15), D(2022, 7, 18), *key, "reviewed")
    else:
        reviewed = declared + dt.timedelta(days=draw.whole(18, 75, *key, "reviewed"))
    if project.ledger_version is None and draw.chance(0.05, *key, "turned down"):
        return
    project.stages.append(("reviewed", reviewed, declared + dt.timedelta(days=60)))
    if project.ledger_version in LEDGER_RELEASED_ON:
        project.released_on = LEDGER_RELEASED_ON[project.ledger_version]
    else:
        year = declared.year + 1
        project.released_on = draw.day(D(year, 3, 14), D(year, 4, 28), *key, "released")
    if project.ledger_version is None and draw.chance(0.04, *key, "not started"):
        return
    started = project.released_on + dt.timedelta(days=draw.whole(4, 55, *key, "implementing"))
    project.stages.append(("implementing", started, project.released_on + dt.timedelta(days=45)))
    if draw.chance(0.05, *key, "stuck"):
        return
    planned = max(project.planned_accept_on, started + dt.timedelta(days=90))
    project.planned_accept_on = planned
    is_late = draw.chance(0.25, *key, "late")
    shift = draw.whole(10, 240, *key, "late") if is_late else -draw.whole(0, 60, *key, "early")
    accepted = planned + dt.timedelta(days=shift)
    project.stages.append(("accepted", accepted, planned))
    operating = accepted + dt.timedelta(days=draw.whole(5, 60, *key, "operating"))
    project.stages.append(("operating", operating, accepted + dt.timedelta(days=30)))


def _link_apps(draw: Draw, projects: list[Project], apps: list[App]) -> None:
    """Link most apps to a project of their department; some apps have none, some have two."""
    buildable = [project for project in projects if project.family in ("major_application", "application_system")]
    by_department: dict[str, list[Project]] = {}
    for project in buildable:
        by_department.setdefault(project.department.department_id, []).append(project)
    for app in apps:
        owned = [
            project
            for project in by_department.get(app.department.department_id, [])
            if project.declared_on <= app.registered_on + dt.timedelta(days=400)
        ]
        if not owned or draw.chance(0.14, app.app_id, "no project"):
            continue
        chosen = draw.shuffled(owned, app.app_id, "projects")[: 2 if draw.chance(0.15, app.app_id, "second") else 1]
        for project in chosen:
            after = max(project.declared_on, app.registered_on)
            project.apps.append((app, after + dt.timedelta(days=draw.whole(0, 60, app.app_id, project.number))))


def _choose_assessed(draw: Draw, projects: list[Project]) -> None:
    """Ten projects in operation, of all four families, for the assessment in depth."""
    settled = [
        project for project in projects
        if project.level == "city" and (project.entered("operating") or D.max) < D(2022, 6, 1)
    ]  # fmt: skip
    wanted = {"major_application": 3, "application_system": 3, "infrastructure": 2, "operations": 2}
    for family, count in wanted.items():
        of_family = [project for project in settled if project.family == family]
        for project in draw.shuffled(of_family, "assessed", family)[:count]:
            project.is_assessed = True
    if sum(project.is_assessed for project in projects) != ASSESSED_COUNT:
        raise ValueError(f"this seed gives too few settled projects to assess {ASSESSED_COUNT}; take another seed")
