"""One app as the marts know it: registry, newest verdict, modules without data, sharing, project and money."""

from __future__ import annotations

from typing import Any

from oneledger.web.queries.overview import data_day
from oneledger.web.reading import Reading

Row = dict[str, Any]
REQUESTS_SHOWN = 12


def registry(reading: Reading, app_id: str) -> Row | None:
    """The app's row in the registry; None when nobody knows it."""
    return reading.one("from marts.dim_app where app_id = $app_id", {"app_id": app_id})


def verdict(reading: Reading, app_id: str) -> Row | None:
    """The newest verdict of use of a period that has ended."""
    return reading.one(
        """
        select
            portal,
            period_grain,
            period_start_on,
            period_end_on,
            verdict,
            measure,
            measured_value,
            measured_state,
            threshold_value,
            reported_days_count,
            missing_days_count,
            reason_zh,
            reason_en,
            rule_version
        from marts.low_use_verdict
        where app_id = $app_id and period_end_on <= $as_of::date
        order by period_end_on desc, portal
        limit 1
        """,
        {"app_id": app_id, "as_of": data_day(reading)},
    )


def listings(reading: Reading, app_id: str) -> list[Row]:
    """Its listings, those in force first."""
    return reading.rows(
        """
        select release_end, listed_on, delisted_on, is_listed, listed_days_count, has_passed_review, delisting_reason
        from marts.app_listing_history
        where app_id = $app_id
        order by is_listed desc, coalesce(delisted_on, listed_on) desc, release_end
        """,
        {"app_id": app_id},
    )


def missing_modules(reading: Reading, app_id: str) -> list[Row]:
    """A row a module and kind of gap: the months in which it sent nothing although its app was listed."""
    return reading.rows(
        """
        select
            module_id,
            any_value(module_name) as module_name,
            any_value(module_kind) as module_kind,
            gap_kind,
            count(distinct month) as months_count,
            min(month) as first_month,
            max(month) as last_month
        from marts.missing_module_data
        where app_id = $app_id
        group by module_id, gap_kind
        order by last_month desc, months_count desc, module_id
        """,
        {"app_id": app_id},
    )


def modules(reading: Reading, app_id: str) -> Row:
    """How many modules IRS knows of it, and how many ever sent data."""
    return reading.rows(
        """
        select
            count(*) filter (is_registered) as registered_count,
            count(*) filter (is_registered and usage_state = 'reported') as reporting_count,
            count(*) filter (not is_registered) as unregistered_count
        from marts.dim_module
        where app_id = $app_id
        """,
        {"app_id": app_id},
    )[0]


def sharing(reading: Reading, app_id: str) -> Row:
    """Its sharing requests in numbers, and whether it counts as a key app without one."""
    return reading.rows(
        """
        with requests as (
            select
                count(*) as requests_count,
                count(*) filter (state = 'open') as open_count,
                count(*) filter (state = 'rejected') as rejected_count,
                count(*) filter (state = 'opened') as opened_count,
                median(apply_to_approve_working_days) as median_approve_working_days,
                count(*) filter (is_approved_within_target) as approved_in_time_count,
                count(is_approved_within_target) as approval_judged_count,
                median(approve_to_open_minutes) as median_open_minutes,
                count(*) filter (is_opened_within_target) as opened_in_time_count,
                count(is_opened_within_target) as opening_judged_count,
                max(open_target_minutes) as open_target_minutes
            from marts.sharing_request
            where app_id = $app_id
        )

        select
            requests.*,
            key_app.app_id is not null as is_key_app,
            key_app.no_sharing_reason,
            key_app.reason_state
        from requests
        left join marts.key_app_sharing as key_app on key_app.app_id = $app_id
        """,
        {"app_id": app_id},
    )[0]


def requests(reading: Reading, app_id: str) -> list[Row]:
    """Its newest requests."""
    return reading.rows(
        f"""
        select
            sharing_request_id,
            applied_at,
            resource_name,
            data_resource_id,
            request_kind,
            sharing_kind,
            state,
            apply_to_approve_working_days,
            is_approved_within_target,
            approve_to_open_minutes,
            is_opened_within_target,
            open_working_days
        from marts.sharing_request
        where app_id = $app_id
        order by applied_at desc
        limit {REQUESTS_SHOWN}
        """,
        {"app_id": app_id},
    )


def projects(reading: Reading, app_id: str) -> list[Row]:
    """Its projects: budget, the app's share of it, and money released, arrived and spent over all years."""
    return reading.rows(
        """
        with money as (
            select
                project_id,
                sum(released_cny) as released_cny,
                sum(arrived_cny) as arrived_cny,
                sum(spent_cny) as spent_cny,
                max(budget_year) as last_budget_year
            from marts.budget_execution
            where project_id in (select project_id from marts.app_project_money where app_id = $app_id)
            group by project_id
        )

        select
            link.project_id,
            project.project_name,
            project.stage,
            project.is_in_scope,
            link.budget_cny,
            link.budget_state,
            link.share_cny,
            link.share_state,
            link.linked_apps_count,
            money.released_cny,
            money.arrived_cny,
            money.spent_cny,
            money.last_budget_year
        from marts.app_project_money as link
        left join marts.dim_project as project using (project_id)
        left join money using (project_id)
        where link.app_id = $app_id
        order by link.budget_cny desc nulls last, link.project_id
        """,
        {"app_id": app_id},
    )
