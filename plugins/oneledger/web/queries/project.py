"""One project: stages, money, apps, pre-reviews, assessments."""

from __future__ import annotations

from oneledger.web.reading import Reading, Row


def project(reading: Reading, project_id: str) -> Row | None:
    """The project's own row; None when the library does not know it."""
    return reading.one(
        """
        select
            project_id, project_name, family, level, district_code, department_id, department_name, department_kind,
            funding_source, ledger_version, stage, stage_entered_on, declared_on, planned_accept_on, budget_cny,
            budget_state, is_in_scope, scope_reason, is_in_scope_by_library, is_omitted_by_source
        from marts.dim_project
        where project_id = $project_id
        """,
        {"project_id": project_id},
    )


def life_cycle(reading: Reading, project_id: str) -> list[Row]:
    """The five stages in order."""
    return reading.rows(
        """
        select
            stage, stage_number, state, entered_on, left_on, days_in_stage, days_state, due_on, is_overdue,
            overdue_days, overdue_state, is_turned_down, is_out_of_order, events_count
        from marts.project_life_cycle
        where project_id = $project_id
        order by stage_number
        """,
        {"project_id": project_id},
    )


def money(reading: Reading, project_id: str) -> list[Row]:
    """A row a budget year: budget, released, arrived, spent, and the share that the rates give."""
    return reading.rows(
        """
        select
            execution.budget_year, execution.budget_cny, execution.released_cny, execution.released_state,
            execution.arrived_cny, execution.arrived_state, execution.spent_cny, execution.spent_state,
            execution.execution_rate, execution.is_overspent, execution.first_released_on, execution.release_position,
            share.share, share.state as share_state, share.reason as share_reason, share.payable_cny, share.is_frozen
        from marts.budget_execution as execution
        left join evaluation.funding_share as share
            on execution.project_id = share.project_id and execution.budget_year = share.budget_year
        where execution.project_id = $project_id
        order by execution.budget_year
        """,
        {"project_id": project_id},
    )


def lead_time(reading: Reading, project_id: str) -> list[Row]:
    """The ledgers that hold the project, and when its money was released, arrived and spent."""
    return reading.rows(
        """
        select
            ledger_level, ledger_version, state, published_on, published_precision, first_released_on,
            first_arrived_on, first_spent_on, publish_to_release_days, release_to_arrive_days, arrive_to_spend_days,
            waiting_days
        from marts.funding_lead_time
        where project_id = $project_id
        order by published_on
        """,
        {"project_id": project_id},
    )


def apps(reading: Reading, project_id: str) -> list[Row]:
    """Linked apps with the stars of the newest round and the project's money that falls to each."""
    return reading.rows(
        """
        with newest as (
            select app_id, stars, status from evaluation.app_stars
            qualify row_number() over (partition by app_id order by period desc, run_id desc) = 1
        )

        select
            link.app_id, link.app_name, link.is_app_known, link.is_same_department, link.linked_on, newest.stars,
            newest.status, money.share_cny, money.linked_apps_count, app.listing_state
        from marts.project_app_link as link
        left join newest on link.app_id = newest.app_id
        left join marts.app_project_money as money
            on link.app_id = money.app_id and link.project_id = money.project_id
        left join marts.dim_app as app on link.app_id = app.app_id
        where link.project_id = $project_id
        order by link.app_name
        """,
        {"project_id": project_id},
    )


def missing_app(reading: Reading, project_id: str) -> Row | None:
    """Why no app is linked; None when one is."""
    return reading.one(
        "select reason, is_expected from marts.project_app_gap"
        " where project_id = $project_id and gap_kind = 'project_without_app'",
        {"project_id": project_id},
    )


def pre_reviews(reading: Reading, project_id: str) -> list[Row]:
    """The committee's reviews, first to last."""
    return reading.rows(
        """
        select
            pre_review_id, reviewed_on, review_number, outcome, requested_cny, approved_cny, approved_state,
            reduced_cny, declared_to_reviewed_days, first_released_on, is_before_release
        from marts.pre_review
        where project_id = $project_id
        order by review_number
        """,
        {"project_id": project_id},
    )


def assessment(reading: Reading, project_id: str) -> Row | None:
    """The newest assessment in depth: the three rates, the combined score, and how far the self rate lies above."""
    return reading.one(
        """
        select
            score.round, score.period, score.self_rate, score.self_state, score.expert_rate, score.expert_state,
            score.third_party_rate, score.third_party_state, score.self_weight, score.expert_weight,
            score.third_party_weight, score.combined_rate, score.score, score.status, score.reason,
            score.self_minus_others_rate, gap.third_party_minus_expert_rate, score.far_above_threshold_rate,
            score.is_self_rated_far_above, score.rule_version
        from evaluation.project_score as score
        left join marts.assessor_gap as gap on score.project_id = gap.project_id and score.round = gap.round
        where score.project_id = $project_id
        order by score.round desc
        limit 1
        """,
        {"project_id": project_id},
    )


def disposition(reading: Reading, project_id: str) -> Row | None:
    """What the newest round proposes for an operations project; None when it was not judged."""
    return reading.one(
        """
        select run_id, disposition, status, reason
        from evaluation.disposition
        where subject_kind = 'project' and subject_id = $project_id
        order by run_id desc
        limit 1
        """,
        {"project_id": project_id},
    )
