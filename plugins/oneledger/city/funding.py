"""Yearly budgets, releases, arrivals and spending of the projects, and what departments spend besides."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from oneledger.city import names
from oneledger.city.calendar import add_working_days, month_end, months, next_working_day
from oneledger.city.departments import Department
from oneledger.city.draws import Draw
from oneledger.city.projects import Project

D = dt.date
FIRST_YEAR = 2018
BUDGET_LINES = {
    "it_special_fund": "信息化建设专项", "department_budget": "部门项目支出", "upper_level_grant": "上级专项转移支付",
}  # fmt: skip


@dataclass(frozen=True)
class Release:
    """One release of a project's money in a budget year; amounts in 万元."""

    budget_year: int
    project: Project
    number: int
    budget_wan: float
    released_wan: float
    released_on: dt.date
    arrived_on: dt.date


@dataclass(frozen=True)
class SpendingLine:
    """One voucher; the amount in 万元. ``project`` is None for spending that no project stands for."""

    voucher: str
    department: Department
    spent_on: dt.date
    budget_line: str
    project: Project | None
    summary: str
    spent_wan: float


def draw_releases(draw: Draw, projects: list[Project]) -> list[Release]:
    """Releases of every project that public money pays: most at once, some in two parts."""
    releases = []
    for project in projects:
        if project.released_on is None or project.funding_source == "self_raised":
            continue
        key = ("release", project.number)
        year, first_on = project.released_on.year, next_working_day(project.released_on)
        budget = project.budget_wan
        share = 1.0 if draw.chance(0.55, *key, "whole") else round(draw.between(0.4, 0.7, *key, "part"), 2)
        released = round(budget * share, 2)
        arrived = add_working_days(first_on, draw.whole(3, 22, *key, "arrival"))
        releases.append(Release(year, project, 1, budget, released, first_on, arrived))
        rest = round(budget - released, 2)
        if share < 1 and rest > 0 and not draw.chance(0.2, *key, "withheld"):
            second_on = next_working_day(min(first_on + dt.timedelta(days=draw.whole(60, 150, *key, "second")),
                                             D(year, 11, 30)))  # fmt: skip
            arrived = add_working_days(second_on, draw.whole(3, 15, *key, "second arrival"))
            releases.append(Release(year, project, 2, budget, rest, second_on, arrived))
    return releases


def draw_spending(
    draw: Draw, projects: list[Project], releases: list[Release], departments: list[Department],
    first: dt.date, last: dt.date,
) -> dict[dt.date, list[SpendingLine]]:  # fmt: skip
    """Spending lines by month (its first day) from the month of ``first`` to the last month that is over."""
    lines: dict[dt.date, list[SpendingLine]] = {month: [] for month in months(first, last) if month_end(month) <= last}
    for release in releases:
        for number, day, amount in _parts(draw, release):
            month = day.replace(day=1)
            if month in lines:
                project = release.project
                line = BUDGET_LINES[project.funding_source]
                summary = f"{names.PROJECT_NOUNS[project.family][0]}进度款（第{number}笔）"
                voucher = f"PZ{project.number:05d}{release.number}{number}"
                lines[month].append(SpendingLine(voucher, project.department, day, line, project, summary, amount))
    for month in lines:
        lines[month] += _other_spending(draw, departments, month)
        lines[month].sort(key=lambda found: (found.department.department_id, found.spent_on, found.voucher))
    return lines


def _parts(draw: Draw, release: Release) -> list[tuple[int, dt.date, float]]:
    """Vouchers of one release: after the money arrived, together at most what was released."""
    key = ("spending", release.project.number, release.number)
    if draw.chance(0.08, *key, "unspent"):
        return []
    count = draw.whole(1, 3, *key, "count")
    together = release.released_wan * draw.between(0.72, 1.0, *key, "share")
    parts = []
    for number in range(1, count + 1):
        wait = draw.whole(5, 60, *key, "wait", number) + 70 * (number - 1)
        day = next_working_day(release.arrived_on + dt.timedelta(days=wait))
        parts.append((number, day, round(together / count - 0.005, 2)))
    return [part for part in parts if part[2] > 0]


def _other_spending(draw: Draw, departments: list[Department], month: dt.date) -> list[SpendingLine]:
    """Spending without a project: ordinary things, and some that look like IT."""
    owners = [department for department in departments if department.kind.endswith("department")]
    found = []
    for number in range(46):
        key = ("other spending", month, number)
        is_it = number < 9
        summary = draw.pick(names.IT_SPENDING_SUMMARIES if is_it else names.OTHER_SPENDING_SUMMARIES, *key, "summary")
        amount = draw.between(2, 48, *key, "amount") if is_it else draw.between(0.2, 18, *key, "amount")
        day = next_working_day(draw.day(month, month + dt.timedelta(days=22), *key, "day"))
        day = min(day, month_end(month))
        line = draw.pick(("部门基本支出", "部门项目支出", "其他资本性支出"), *key, "line")
        found.append(
            SpendingLine(
                f"PZ{month:%Y%m}{number + 1:03d}", draw.pick(owners, *key, "owner"), day, line, None, summary,
                round(amount, 2),
            )
        )  # fmt: skip
    return found
