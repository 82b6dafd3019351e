"""Funding: each ledger's way to the money, execution of the budgets, the yearly cycle, and the share by results."""

from __future__ import annotations

from typing import Literal

from oneledger.web.listing import Listing, contains, listed
from oneledger.web.reading import Reading, Row

Waiting = Literal["waiting", "published", "released", "arrived", "spent", "all"]


def ledgers(reading: Reading) -> list[Row]:
    """A row a ledger in the order of publication: its dates, its projects by how far their money is, its amounts.

    ``first_…``, ``median_…`` and ``last_…`` are days over the projects that reached the step; null when none did.
    """
    return reading.rows(
        """
        with projects as (
            select
                ledger_level, ledger_version,
                count(*) as projects_count,
                count(*) filter (where state = 'published') as waiting_release_count,
                count(*) filter (where state = 'released') as waiting_arrival_count,
                count(*) filter (where state = 'arrived') as waiting_spending_count,
                count(*) filter (where state = 'spent') as spent_count,
                min(first_arrived_on) as first_arrived_on,
                quantile_disc(first_arrived_on, 0.5) as median_arrived_on,
                max(first_arrived_on) as last_arrived_on,
                min(first_spent_on) as first_spent_on,
                quantile_disc(first_spent_on, 0.5) as median_spent_on,
                max(first_spent_on) as last_spent_on,
                quantile_disc(first_released_on, 0.5) as median_released_on,
                median(release_to_arrive_days) as median_release_to_arrive_days,
                median(arrive_to_spend_days) as median_arrive_to_spend_days,
                median(publish_to_spend_days) as median_publish_to_spend_days,
                max(waiting_days) filter (where state = 'published') as longest_waiting_days,
                sum(released_cny) as released_cny, sum(arrived_cny) as arrived_cny, sum(spent_cny) as spent_cny
            from marts.funding_lead_time
            group by ledger_level, ledger_version
        )

        select
            ledger.ledger_level, ledger.ledger_version, ledger.published_text, ledger.published_on,
            ledger.published_precision, ledger.entries_count, ledger.first_released_on, ledger.last_released_on,
            ledger.released_projects_count, ledger.publish_to_release_days, ledger.publish_to_release_state,
            projects.projects_count, projects.waiting_release_count, projects.waiting_arrival_count,
            projects.waiting_spending_count, projects.spent_count, projects.median_released_on,
            projects.first_arrived_on, projects.median_arrived_on, projects.last_arrived_on, projects.first_spent_on,
            projects.median_spent_on, projects.last_spent_on, projects.median_release_to_arrive_days,
            projects.median_arrive_to_spend_days, projects.median_publish_to_spend_days,
            projects.longest_waiting_days, projects.released_cny, projects.arrived_cny, projects.spent_cny
        from marts.ledger as ledger
        left join projects
            on ledger.ledger_level = projects.ledger_level and ledger.ledger_version = projects.ledger_version
        order by ledger.published_on, ledger.ledger_level
        """
    )


def years(reading: Reading) -> list[Row]:
    """A row a budget year: what was budgeted, released, arrived and spent, and where the releases lie in the cycle.

    The execution rate is spent over budget of the projects whose budget is known.
    """
    return reading.rows(
        """
        select
            budget_year,
            count(*) as projects_count,
            count(*) filter (where budget_state = 'missing') as budget_missing_count,
            sum(budget_cny) as budget_cny,
            sum(released_cny) as released_cny,
            sum(arrived_cny) as arrived_cny,
            sum(spent_cny) filter (where budget_cny is not null) as spent_cny,
            sum(spent_cny) filter (where budget_cny is null) as spent_without_budget_cny,
            cast(sum(spent_cny) filter (where budget_cny is not null) as double)
            / nullif(cast(sum(budget_cny) as double), 0) as execution_rate,
            count(*) filter (where release_position = 'in_window') as in_window_count,
            count(*) filter (where release_position = 'before_window') as before_window_count,
            count(*) filter (where release_position = 'after_window') as after_window_count,
            count(*) filter (where release_position = 'not_released') as not_released_count,
            count(*) filter (where is_overspent) as overspent_count
        from marts.budget_execution
        group by budget_year
        order by budget_year
        """
    )


def releases(reading: Reading) -> list[Row]:
    """A row a month with first releases: projects, money, by where it lies in the cycle."""
    return reading.rows(
        """
        select
            cast(date_trunc('month', first_released_on) as date) as month, release_position,
            count(*) as projects_count, sum(released_cny) as released_cny
        from marts.budget_execution
        where first_released_on is not null
        group by 1, 2
        order by 1, 2
        """
    )


def departments(reading: Reading, budget_year: int) -> list[Row]:
    """The departments with the largest budgets of a year and what they spent of it."""
    return reading.rows(
        """
        select
            execution.department_id, department.department_name,
            count(*) as projects_count,
            sum(execution.budget_cny) as budget_cny,
            sum(execution.spent_cny) filter (where execution.budget_cny is not null) as spent_cny,
            cast(sum(execution.spent_cny) filter (where execution.budget_cny is not null) as double)
            / nullif(cast(sum(execution.budget_cny) as double), 0) as execution_rate
        from marts.budget_execution as execution
        left join marts.dim_department as department on execution.department_id = department.department_id
        where execution.budget_year = $budget_year and execution.budget_cny is not null
        group by execution.department_id, department.department_name
        order by budget_cny desc nulls last
        limit 15
        """,
        {"budget_year": budget_year},
    )


def ledger_projects(reading: Reading, *, ledger: str | None, waiting: Waiting, sort: str, page: int) -> Listing:
    """Projects of the ledgers by how far their money is; ``waiting`` are those that are not spent yet.

    Args:
        ledger: ``city-S1`` and the like; None means every ledger.
    """
    level, _, version = (ledger or "").partition("-")
    return listed(
        reading,
        """
        select
            lead.ledger_level || '-' || lead.ledger_version as ledger, lead.ledger_level, lead.ledger_version,
            lead.project_id, lead.project_name, department.department_name, lead.state, lead.published_on,
            lead.published_precision, lead.first_released_on, lead.first_arrived_on, lead.first_spent_on,
            lead.publish_to_release_days, lead.release_to_arrive_days, lead.arrive_to_spend_days,
            lead.waiting_days, lead.is_spent_before_arrival, lead.released_cny, lead.arrived_cny, lead.spent_cny,
            lead.is_project_known
        from marts.funding_lead_time as lead
        left join marts.dim_department as department on lead.department_id = department.department_id
        where
            ($level = '' or (lead.ledger_level = $level and lead.ledger_version = $version))
            and case $waiting
                when 'all' then true when 'waiting' then lead.state <> 'spent' else lead.state = $waiting
            end
        """,
        {"level": level, "version": version, "waiting": waiting},
        sort=sort, key="project_id", page=page,
    )  # fmt: skip


def waiting_counts(reading: Reading) -> Row:
    """Projects of the ledgers that wait for release, arrival or spending, and the longest wait for a release."""
    found = reading.one(
        """
        select
            count(*) filter (where state = 'published') as release_count,
            count(*) filter (where state = 'released') as arrival_count,
            count(*) filter (where state = 'arrived') as spending_count,
            max(waiting_days) filter (where state = 'published') as longest_release_days
        from marts.funding_lead_time
        """
    )
    assert found is not None
    return found


def weights(reading: Reading, budget_year: int) -> list[Row]:
    """The weights of the three rates that are in force at the end of a budget year."""
    return reading.rows(
        """
        select rate_id, weight, rule_version, source
        from evaluation.funding_weight
        where
            make_date($budget_year, 12, 31) >= effective_from
            and make_date($budget_year, 12, 31) <= coalesce(effective_to, date '9999-12-31')
        order by list_position(['online_rate', 'usage_rate', 'satisfaction_rate'], rate_id)
        """,
        {"budget_year": budget_year},
    )


def bands(reading: Reading, budget_year: int) -> list[Row]:
    """The bands of the combined rate that are in force at the end of a budget year, lowest first."""
    return reading.rows(
        """
        select
            minimum_rate, lead(minimum_rate) over (order by minimum_rate) as next_rate, share, title_zh, title_en,
            rule_version, source
        from evaluation.funding_band
        where
            make_date($budget_year, 12, 31) >= effective_from
            and make_date($budget_year, 12, 31) <= coalesce(effective_to, date '9999-12-31')
        order by minimum_rate
        """,
        {"budget_year": budget_year},
    )


def project_share(reading: Reading, project_id: str, budget_year: int | None) -> Row | None:
    """The published share of a project: of that budget year, else of the newest whose share was computed."""
    return reading.one(
        """
        select
            project_id, budget_year, project_name, linked_apps_count, measured_to_on, online_numerator,
            online_denominator, online_rate, online_state, usage_numerator, usage_denominator, usage_rate, usage_state,
            satisfaction_numerator, satisfaction_denominator, satisfaction_rate, satisfaction_state, combined_rate,
            state, reason, share, budget_cny, payable_cny, is_frozen, current_share, rule_version
        from evaluation.funding_share
        where project_id = $project_id and ($budget_year is null or budget_year = $budget_year)
        order by state <> 'computed', budget_year desc
        limit 1
        """,
        {"project_id": project_id, "budget_year": budget_year},
    )


def shares_by_state(reading: Reading) -> list[Row]:
    """How many project years have which share, and the money that it keeps back."""
    return reading.rows(
        """
        select budget_year, state, share, count(*) as projects_count, sum(payable_cny) as payable_cny,
            sum(withheld_cny) as withheld_cny
        from evaluation.funding_share
        group by budget_year, state, share
        order by budget_year, state, share desc nulls last
        """
    )


def find_projects(reading: Reading, search: str, limit: int = 12) -> list[Row]:
    """Project years whose name or number holds the text; those with a computed share first."""
    return reading.rows(
        """
        select project_id, budget_year, project_name, state, share
        from evaluation.funding_share
        where project_id ilike $pattern escape '\\' or project_name ilike $pattern escape '\\'
        order by state <> 'computed', project_name, budget_year desc
        limit $limit
        """,
        {"pattern": contains(search), "limit": limit},
    )


def examples(reading: Reading, limit: int = 8) -> list[Row]:
    """Project years to try: those whose share was computed, the smallest shares first."""
    return reading.rows(
        """
        select project_id, budget_year, project_name, state, share
        from evaluation.funding_share
        where state = 'computed'
        order by share, payable_cny desc, project_id
        limit $limit
        """,
        {"limit": limit},
    )
