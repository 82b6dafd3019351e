"""Projects: the inventory, the life cycle, what lacks a link, and each project by itself."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import Field
from starlette.responses import HTMLResponse

from oneledger.charts import projects as charts
from oneledger.charts.render import svg
from oneledger.web.listing import NOT_GIVEN, PageNumber, SearchText, cells
from oneledger.web.page import Page, ViewerPage
from oneledger.web.queries import project as one
from oneledger.web.queries import projects as many
from oneledger.web.remembered import PageOfVersion
from oneledger.web.terms import terms_of

router = APIRouter(include_in_schema=False, route_class=PageOfVersion)

Level = Literal["city", "county"]
Stage = Literal["declared", "reviewed", "implementing", "accepted", "operating", "missing"]
Family = Literal["major_application", "application_system", "infrastructure", "operations"]
Source = Literal["it_special_fund", "department_budget", "upper_level_grant", "self_raised"]
Attention = Literal["overdue", "without_app", "without_budget", "out_of_scope"]
Sort = Literal[
    "project_name", "-project_name", "department_name", "-department_name", "district_code", "-district_code",
    "stage_entered_on", "-stage_entered_on", "budget_cny", "-budget_cny", "overdue_days", "-overdue_days",
    "apps_count", "-apps_count", "project_id", "-project_id",
]  # fmt: skip
ATTENTION = {
    "overdue": ("已逾期", "overdue now"), "without_app": ("应有应用而无", "an app is expected and missing"),
    "without_budget": ("缺预算", "budget missing"), "out_of_scope": ("不在管理范围", "out of scope"),
}  # fmt: skip
DIMENSIONS = {
    "level": ("层级", "Level"), "district_code": ("区县", "District"), "department_name": ("部门", "Department"),
    "stage": ("阶段", "Stage"), "funding_source": ("资金来源", "Funding source"), "family": ("类别", "Family"),
}  # fmt: skip
_TERM_OF = {
    "level": "level", "district_code": "district", "stage": "stage", "funding_source": "funding_source",
    "family": "family",
}  # fmt: skip


@router.get("/projects")
def projects(
    page: ViewerPage,
    q: SearchText = "",
    level: Annotated[Level | None, NOT_GIVEN] = None,
    district: Annotated[Annotated[str, Field(pattern=r"^\d{6}$")] | None, NOT_GIVEN] = None,
    department: Annotated[str, Query(max_length=80)] = "",
    stage: Annotated[Stage | None, NOT_GIVEN] = None,
    family: Annotated[Family | None, NOT_GIVEN] = None,
    funding_source: Annotated[Source | None, NOT_GIVEN] = None,
    attention: Annotated[Attention | None, NOT_GIVEN] = None,
    by: Annotated[many.Dimension, Query(description="what the inventory is counted by")] = "level",
    sort: Sort = "-stage_entered_on",
    number: PageNumber = 1,
) -> HTMLResponse:
    """The inventory and the list."""
    term = terms_of(page.language)
    reading = page.reading
    stages = reading.remembered(("projects.stages",), lambda: many.stages(reading))
    titled = [{**row, "title": term("stage", row["stage"])} for row in stages]
    wanted = many.ProjectFilter(
        search=q, level=level, district=district, department=department or None, stage=stage, family=family,
        funding_source=funding_source, attention=attention,
    )  # fmt: skip
    counts_title = page.t("各阶段在库项目数", "Projects by stage")
    days_title = page.t("各阶段历时", "Days a stage takes")
    return page.show(
        "projects/index.html",
        term=term,
        totals=reading.remembered(("projects.totals",), lambda: many.totals(reading)),
        stages=titled,
        counts_title=counts_title,
        counts_rows=cells(titled, "title", "city_count", "county_count", "due_count"),
        counts_chart=reading.remembered(
            ("projects.counts", page.language),
            lambda: svg(charts.stage_counts(titled, page.t), title=counts_title),
        ),
        days_title=days_title,
        days_rows=cells(titled, "title", "completed_count", "days_median", "days_so_far", "late_count", "judged_count"),
        days_chart=reading.remembered(
            ("projects.days", page.language), lambda: svg(charts.stage_days(titled, page.t), title=days_title)
        ),
        by=by,
        dimensions=DIMENSIONS,
        term_of=_TERM_OF,
        inventory=reading.remembered(("projects.inventory", by), lambda: many.inventory(reading, by)),
        choices=reading.remembered(("projects.choices",), lambda: many.choices(reading)),
        wanted=wanted,
        attention_choices=ATTENTION,
        listing=many.project_list(reading, wanted, sort=sort, page=number),
    )


@router.get("/projects/gaps")
def gaps(
    page: ViewerPage,
    kind: Annotated[many.GapKind | Literal["spending_without_project"], Query()] = "app_without_project",
    expected: Annotated[bool, Query(description="also gaps that have a plain reason")] = False,
    number: PageNumber = 1,
) -> HTMLResponse:
    """What lacks a link: apps, projects and spending."""
    reading = page.reading
    listing = (
        many.unlinked_spend(reading, page=number)
        if kind == "spending_without_project"
        else many.gap_list(reading, kind, with_expected=expected, page=number)
    )
    return page.show(
        "projects/gaps.html",
        term=terms_of(page.language),
        kind=kind,
        expected=expected,
        totals=reading.remembered(("projects.totals",), lambda: many.totals(reading)),
        listing=listing,
    )


@router.get("/projects/{project_id}")
def project(page: ViewerPage, project_id: Annotated[str, Path(max_length=60)]) -> HTMLResponse:
    """One project."""
    found = one.project(page.reading, project_id)
    if found is None:
        raise HTTPException(
            404,
            f"项目库中没有项目 {project_id}。请在项目列表中按名称查找。 "
            f"The library has no project {project_id}. Look for its name in the list of projects.",
        )
    return page.show("projects/project.html", project=found, **_about(page, project_id))


def _about(page: Page, project_id: str) -> dict[str, Any]:
    term = terms_of(page.language)
    reading = page.reading
    stages = [{**row, "title": term("stage", row["stage"])} for row in one.life_cycle(reading, project_id)]
    money = one.money(reading, project_id)
    assessment = one.assessment(reading, project_id)
    as_of = dt.date.fromisoformat(str(reading.version.as_of_on))
    titles = {
        "life": page.t("全生命周期", "Life cycle"), "money": page.t("资金", "Money"),
        "assessors": page.t("三方评价", "Three assessors"),
    }  # fmt: skip
    drawn = {"life": svg(charts.life_cycle(stages, as_of, page.t), title=titles["life"])}
    if any(row[name] is not None for row in money for name in ("budget_cny", "released_cny", "spent_cny")):
        drawn["money"] = svg(charts.money(money, page.t), title=titles["money"])
    if assessment:
        rates = [(term("assessor", who), assessment[f"{who}_rate"]) for who in ("self", "expert", "third_party")]
        drawn["assessors"] = svg(
            charts.assessors(rates, assessment["combined_rate"], page.t), title=titles["assessors"]
        )
    return {
        "term": term, "stages": stages, "money": money, "assessment": assessment, "titles": titles, "drawn": drawn,
        "lead_times": one.lead_time(reading, project_id), "apps": one.apps(reading, project_id),
        "missing_app": one.missing_app(reading, project_id), "pre_reviews": one.pre_reviews(reading, project_id),
        "disposition": one.disposition(reading, project_id),
    }  # fmt: skip
