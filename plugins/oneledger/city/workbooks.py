"""The finance bureau's and the reform office's workbooks, each delivered when it is due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from oneledger.city import names
from oneledger.city.calendar import month_end
from oneledger.city.draws import Draw
from oneledger.city.findings import write_rectification
from oneledger.city.funding import Release, SpendingLine, draw_releases, draw_spending
from oneledger.city.ledgers import write_ledgers
from oneledger.city.population import Population
from oneledger.city.projects import FAMILY_INDICATORS, Project
from oneledger.city.sheets import NOTE, Sheet, typed_or_written
from oneledger.city.work_progress import WorkProgress

D = dt.date
# Workbooks are made by hand; they do not grow without end with the scale of a load test.
MOST_COPIES = 10
ASSESSMENT_ROUND = "2022Q3"
ASSESSED_ON = D(2022, 10, 20)


def write_workbooks(
    population: Population, projects: list[Project], folder: Path, scale: int,
    first: dt.date, new_from: dt.date | None, last: dt.date, progress: WorkProgress,
) -> dict[str, int]:  # fmt: skip
    """Write the workbooks that are new or have new content; returns data rows of each written file.

    Args:
        new_from: the first day that is not yet written; None writes everything up to ``last``.
    """
    since = new_from or D.min
    copies = [f"-{number:04d}" if number else "" for number in range(min(scale, MOST_COPIES))]
    written = write_ledgers(population, folder, copies, since, last)
    draw = population.draw
    releases = draw_releases(draw, projects)
    # Budget workbooks are brought up to date at the end of each month.
    closed = last if last == month_end(last) else last.replace(day=1) - dt.timedelta(days=1)
    if new_from is None or closed >= new_from:
        for year in range(first.year, closed.year + 1):
            if new_from is None or year >= new_from.year:
                written |= _write_budget(folder, year, releases, copies, closed)
    spending_from = first if new_from is None else new_from
    lines = draw_spending(draw, projects, releases, population.departments, spending_from, last)
    progress.begin("finance workbooks", len(lines) + 1)
    for month, of_month in lines.items():
        written |= _write_spending(folder, month, of_month, copies)
        progress.advance(1, len(of_month))
    if since <= ASSESSED_ON <= last:
        for assessor in ("self", "expert", "third_party"):
            written |= _write_scores(draw, folder, assessor, [project for project in projects if project.is_assessed])
    written |= write_rectification(folder, since, last)
    progress.advance(1, 0)
    return written


def _write_budget(
    folder: Path, year: int, releases: list[Release], copies: list[str], closed: dt.date
) -> dict[str, int]:
    known = [release for release in releases if release.budget_year == year and release.released_on <= closed]
    if not known:
        return {}
    path = folder / f"ysxd_{year}.xlsx"
    rows = 0
    with Sheet(path, f"{year}年预算下达", (24, 16, 40, 10, 12, 12, 14, 14, 14, 16, 16)) as sheet:
        sheet.title(f"{year}年度信息化项目预算安排与资金下达情况表")
        sheet.line(
            ["单位：万元", None, None, None, None, None, None, None, None, f"截至{closed.year}年{closed.month}月"]
        )
        sheet.head_of_two_rows(
            ["主管部门", "项目编号", "项目名称", "下达批次", "一本账层级", "一本账版本",
             ("资金", ("年度预算", "下达金额", "到账金额")), "下达日期", "到账日期"]
        )  # fmt: skip
        total = 0.0
        for department, suffix, group in _by_department(known, copies):
            first, subtotal = sheet.row, 0.0
            for release in group:
                project = release.project
                has_arrived = release.arrived_on <= closed
                sheet.line([
                    None, project.project_no + suffix, project.name, release.number,
                    "市" if project.ledger_version in ("S0", "S1") else None,
                    project.ledger_version if project.ledger_version in ("S0", "S1") else None,
                    release.budget_wan, release.released_wan, release.released_wan if has_arrived else None,
                    typed_or_written(release.released_on, project.number),
                    typed_or_written(release.arrived_on, project.number + 1) if has_arrived else None,
                ])  # fmt: skip
                rows += 1
                subtotal += release.released_wan
            sheet.merge_down(0, first, sheet.row - 1, department)
            sheet.line([None, "小计", None, None, None, None, None, round(subtotal, 2)])
            total += subtotal
        sheet.line(["合计", None, None, None, None, None, None, round(total, 2)])
        sheet.note(NOTE, "填报人：财政局行政政法处　　联系电话：（合成）")
    return {path.name: rows}


def _by_department(known: list[Release], copies: Sequence[str]) -> Iterator[tuple[str, str, list[Release]]]:
    ordered = sorted(known, key=lambda release: (release.project.department.department_id, release.project.number,
                                                 release.number))  # fmt: skip
    for suffix in copies:
        for _, group in groupby(ordered, key=lambda release: release.project.department.department_id):
            of_department = list(group)
            yield of_department[0].project.department.name + name_suffix(suffix), suffix, of_department


def name_suffix(suffix: str) -> str:
    """A copy of the city writes its number behind names: ``-0001`` → ``（0001）``."""
    return f"（{suffix[1:]}）" if suffix else ""


def _write_spending(folder: Path, month: dt.date, lines: list[SpendingLine], copies: list[str]) -> dict[str, int]:
    path = folder / f"zhichu_{month:%Y%m}.xlsx"
    rows = 0
    with Sheet(path, f"{month.month}月支出", (24, 18, 16, 20, 18, 34, 14)) as sheet:
        sheet.title(f"{month.year}年{month.month}月市级部门支出明细表")
        sheet.line([None, None, None, None, None, "金额单位：万元"])
        sheet.head(["单位名称", "凭证号", "支付日期", "经费科目", "项目编号", "摘要", "支出金额"])
        total = 0.0
        for suffix in copies:
            for _, group in groupby(lines, key=lambda line: line.department.department_id):
                of_department = list(group)
                first, subtotal = sheet.row, 0.0
                for number, line in enumerate(of_department):
                    project_no = line.project.project_no + suffix if line.project else None
                    paid_on = typed_or_written(line.spent_on, number + line.spent_on.day)
                    sheet.line([None, line.voucher + suffix, paid_on,
                                line.budget_line, project_no, line.summary, line.spent_wan])  # fmt: skip
                    rows += 1
                    subtotal += line.spent_wan
                name = of_department[0].department.name + name_suffix(suffix)
                sheet.merge_down(0, first, sheet.row - 1, name)
                sheet.line([None, "小计", None, None, None, None, round(subtotal, 2)])
                total += subtotal
        sheet.line(["合计", None, None, None, None, None, round(total, 2)])
        sheet.note(NOTE, "填报人：国库支付中心")
    return {path.name: rows}


_ASSESSOR_ZH = {"self": "建设单位自评", "expert": "专家评价", "third_party": "第三方复评"}


def _write_scores(draw: Draw, folder: Path, assessor: str, projects: list[Project]) -> dict[str, int]:
    path = folder / f"dafen_{assessor}_{ASSESSMENT_ROUND}.xlsx"
    rows = 0
    with Sheet(path, _ASSESSOR_ZH[assessor], (18, 40, 24, 10, 10)) as sheet:
        sheet.title(f"项目综合评价打分表（{_ASSESSOR_ZH[assessor]}）")
        sheet.line(["评价轮次：2022年第三季度"])
        sheet.head(["项目编号", "项目名称", "评价指标", "满分", "得分"])
        for place, project in enumerate(projects):
            first = sheet.row
            # Three owners rate themselves far above what the others find.
            worth = draw.between(0.68, 0.88, "assessed", project.number)
            lift = {"self": 0.04 if place > 2 else 0.22, "expert": 0.0, "third_party": -0.03}[assessor]
            worth = min(0.99, (min(worth, 0.74) if place <= 2 else worth) + lift)
            points_together = 0.0
            for indicator, maximum in FAMILY_INDICATORS[project.family]:
                spread = draw.between(-0.04, 0.04, "assessed", assessor, project.number, indicator)
                points = round(min(maximum, maximum * (worth + spread)) * 2) / 2
                sheet.line([None, None, indicator, maximum, points])
                points_together += points
                rows += 1
            sheet.merge_down(0, first, sheet.row - 1, project.project_no)
            sheet.merge_down(1, first, sheet.row - 1, project.name)
            sheet.line([None, None, "小计", 100, points_together])
        sheet.note(NOTE, f"填报：{names.MUNICIPAL_DEPARTMENTS[0]}")
    return {path.name: rows}
