"""Projects: how many there are, how far they are, what lacks a link, and everything about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oneledger.web.listing import Listing, contains, listed
from oneledger.web.reading import Reading, Row

Dimension = Literal["level", "district_code", "department_name", "stage", "funding_source", "family"]
GapKind = Literal["app_without_project", "project_without_app", "link_to_unknown_app", "link_to_unknown_project"]


@dataclass(frozen=True)
class ProjectFilter:
    """What a list of projects is narrowed to; None leaves it wide.

    Attributes:
        search: part of a name or number of a project, or of a department's name.
        attention: ``overdue``: a stage is due and not reached; ``without_app``: an app is expected and none is linked;
            ``without_budget``: the budget is missing; ``out_of_scope``: the owner is no government department.
    """

    search: str = ""
    level: str | None = None
    district: str | None = None
    department: str | None = None
    stage: str | None = None
    family: str | None = None
    funding_source: str | None = None
    attention: str | None = None


def totals(reading: Reading) -> Row:
    """The city in one row: projects by level, money, what is overdue and what lacks a link."""
    found = reading.one(
        """
        with projects as (
            select
                count(*) as projects_count,
                count(*) filter (where level = 'city') as city_count,
                count(*) filter (where level = 'county') as county_count,
                count(*) filter (where is_in_scope) as in_scope_count,
                sum(budget_cny) as budget_cny,
                count(*) filter (where budget_state = 'missing') as budget_missing_count
            from marts.dim_project
        ),

        overdue as (
            select
                count(distinct project_id) as overdue_count,
                median(overdue_days) as median_overdue_days
            from marts.project_life_cycle
            where is_overdue and state = 'not_reached'
        ),

        gaps as (
            select
                count(*) filter (where gap_kind = 'project_without_app' and not is_expected) as without_app_count,
                count(*) filter (where gap_kind = 'project_without_app' and is_expected) as without_app_expected_count,
                count(*) filter (where gap_kind = 'app_without_project' and not is_expected) as apps_without_count,
                count(*) filter (where gap_kind = 'app_without_project' and is_expected) as apps_without_expected_count,
                count(*) filter (where gap_kind like 'link_to_unknown%') as unknown_links_count
            from marts.project_app_gap
        ),

        spend as (
            select
                count(*) as unlinked_lines_count,
                sum(spent_cny) as unlinked_cny,
                min(month) as first_month,
                max(month) as last_month
            from marts.unlinked_it_spend
        )

        select
            projects_count, city_count, county_count, in_scope_count, budget_cny, budget_missing_count, overdue_count,
            median_overdue_days, without_app_count, without_app_expected_count, apps_without_count,
            apps_without_expected_count, unknown_links_count, unlinked_lines_count, unlinked_cny, first_month,
            last_month
        from projects, overdue, gaps, spend
        """
    )
    assert found is not None
    return found


def stages(reading: Reading) -> list[Row]:
    """A row a stage: projects in it now by level, days that those which left it took, how many reached it late."""
    return reading.rows(
        """
        select
            stage,
            count(*) filter (where state = 'current' and level = 'city') as city_count,
            count(*) filter (where state = 'current' and level = 'county') as county_count,
            count(*) filter (where state = 'completed' and days_state = 'reported') as completed_count,
            quantile_cont(days_in_stage, 0.25) filter (where state = 'completed') as days_quarter,
            quantile_cont(days_in_stage, 0.5) filter (where state = 'completed') as days_median,
            quantile_cont(days_in_stage, 0.75) filter (where state = 'completed') as days_three_quarters,
            quantile_cont(days_in_stage, 0.5) filter (where state = 'current') as days_so_far,
            count(*) filter (where state in ('completed', 'current') and is_overdue is not null) as judged_count,
            count(*) filter (where state in ('completed', 'current') and is_overdue) as late_count,
            count(*) filter (where state = 'not_reached' and is_overdue) as due_count,
            count(*) filter (where is_out_of_order) as out_of_order_count,
            count(*) filter (where state = 'not_recorded') as not_recorded_count
        from marts.project_life_cycle
        group by stage
        order by min(stage_number)
        """
    )


def inventory(reading: Reading, dimension: Dimension) -> list[Row]:
    """The library by one dimension: projects and money; an amount that nobody gave is null."""
    order = {"stage": "min(stage_order)"}.get(dimension, "projects_count desc, label")
    return reading.rows(
        f"""
        with counted as (
            select
                {dimension} as label,
                list_position(['declared', 'reviewed', 'implementing', 'accepted', 'operating'], stage) as stage_order,
                projects_count, projects_in_scope_count, budget_cny, released_cny, spent_cny, level
            from marts.project_inventory
        )

        select
            label,
            sum(projects_count) as projects_count,
            coalesce(sum(projects_count) filter (where level = 'city'), 0) as city_count,
            coalesce(sum(projects_count) filter (where level = 'county'), 0) as county_count,
            sum(projects_in_scope_count) as in_scope_count,
            sum(budget_cny) as budget_cny,
            sum(released_cny) as released_cny,
            sum(spent_cny) as spent_cny
        from counted
        group by label
        order by {order}
        """
    )


def choices(reading: Reading) -> dict[str, list[str]]:
    """What a list of projects can be narrowed to."""
    found = reading.one(
        """
        select
            list(distinct district_code order by district_code) as districts,
            list(distinct department_name order by department_name) as departments
        from marts.dim_project
        """
    )
    assert found is not None
    return found


def project_list(reading: Reading, wanted: ProjectFilter, *, sort: str, page: int) -> Listing:
    """Projects that match, a page of them."""
    return listed(
        reading,
        """
        select
            project.project_id, project.project_name, project.level, project.district_code, project.department_name,
            project.family, project.funding_source, project.stage, project.stage_entered_on, project.budget_cny,
            project.budget_state, project.is_in_scope, project.ledger_version,
            late.overdue_days, linked.apps_count, gap.reason as gap_reason, gap.is_expected as is_gap_expected
        from marts.dim_project as project
        left join (
            select project_id, max(overdue_days) as overdue_days
            from marts.project_life_cycle where is_overdue and state = 'not_reached' group by project_id
        ) as late on project.project_id = late.project_id
        left join (
            select project_id, count(*) as apps_count from marts.project_app_link group by project_id
        ) as linked on project.project_id = linked.project_id
        left join marts.project_app_gap as gap
            on project.project_id = gap.project_id and gap.gap_kind = 'project_without_app'
        where
            ($level is null or project.level = $level)
            and ($district is null or project.district_code = $district)
            and ($department is null or project.department_name = $department)
            and ($stage is null or project.stage = $stage)
            and ($family is null or project.family = $family)
            and ($funding_source is null or project.funding_source = $funding_source)
            and (
                $pattern is null
                or project.project_id ilike $pattern escape '\\'
                or project.project_name ilike $pattern escape '\\'
                or project.department_name ilike $pattern escape '\\'
            )
            and case $attention
                when 'overdue' then late.overdue_days is not null
                when 'without_app' then not gap.is_expected
                when 'without_budget' then project.budget_state = 'missing'
                when 'out_of_scope' then not project.is_in_scope
                else true
            end
        """,
        {
            "level": wanted.level, "district": wanted.district, "department": wanted.department or None,
            "stage": wanted.stage, "family": wanted.family, "funding_source": wanted.funding_source,
            "pattern": contains(wanted.search) if wanted.search.strip() else None, "attention": wanted.attention,
        },
        sort=sort, key="project_id", page=page,
    )  # fmt: skip


def gap_list(reading: Reading, kind: GapKind, *, with_expected: bool, page: int) -> Listing:
    """Gaps between projects and apps of one kind; those with a plain reason only when asked for."""
    return listed(
        reading,
        """
        select
            gap.gap_id, gap.project_id, gap.app_id, gap.level, gap.reason, gap.is_expected,
            project.project_name, project.family, project.stage, project.budget_cny, app.app_name,
            department.department_name
        from marts.project_app_gap as gap
        left join marts.dim_project as project on gap.project_id = project.project_id
        left join marts.dim_app as app on gap.app_id = app.app_id
        left join marts.dim_department as department on gap.department_id = department.department_id
        where gap.gap_kind = $kind and ($with_expected or not gap.is_expected)
        """,
        {"kind": kind, "with_expected": with_expected},
        sort="department_name", key="gap_id", page=page,
    )  # fmt: skip


def unlinked_spend(reading: Reading, *, page: int) -> Listing:
    """Spending lines that look like IT and name no project, newest first."""
    return listed(
        reading,
        """
        select
            voucher_number, month, department_name, spent_on, budget_line, summary, spent_cny, matched_pattern,
            matched_column, keyword_source, project_id, project_match
        from marts.unlinked_it_spend
        """,
        {}, sort="-spent_on", key="voucher_number", page=page,
    )  # fmt: skip


def unlinked_spend_by_month(reading: Reading) -> list[Row]:
    """Money and lines a month that look like IT and name no project."""
    return reading.rows(
        "select month, count(*) as lines_count, sum(spent_cny) as spent_cny from marts.unlinked_it_spend"
        " group by month order by month"
    )
