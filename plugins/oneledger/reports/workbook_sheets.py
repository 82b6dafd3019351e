"""What stands on each sheet of the workbook: the rows as SQL, and where each column's title and meaning come from.

The SQL reads ``published`` (the version), ``result`` (the run) and ``batch`` (what the version was made of), as
``facts.open_facts`` shows them. A column is written ``name`` when the sheet's own table describes it, and
``schema.table.name`` when another does.
"""

from __future__ import annotations

from dataclasses import dataclass

_NAMED_APP = ("marts.dim_app.app_name", "marts.dim_department.department_name")


@dataclass(frozen=True)
class SheetSpec:
    """One sheet of rows.

    Attributes:
        name: as on the tab, Chinese and English, at most 31 characters.
        title_zh, title_en: what it holds, in a sentence.
        relation: the table that describes its columns.
        columns: in the order of the SQL.
        frozen: so many columns stay when one scrolls to the right.
        sql: the rows, in order; may name ``$from``, ``$to``, ``$level`` and ``$year`` of the round.
    """

    name: str
    title_zh: str
    title_en: str
    relation: str
    columns: tuple[str, ...]
    sql: str
    frozen: int = 2


SHEETS: tuple[SheetSpec, ...] = (
    SheetSpec(
        "星级 Stars",
        "每个参评应用一行：得分、星级或暂不评原因、处置建议。",
        "One row an app of the population: score, stars or why withheld, and the proposal.",
        "evaluation.app_stars",
        (
            "app_id",
            *_NAMED_APP,
            "evaluation.population.side",
            "evaluation.population.family",
            "stars",
            "stars_state",
            "score",
            "status",
            "reason_zh",
            "reason_en",
            "scored_weight",
            "withheld_weight",
            "not_applicable_weight",
            "evaluation.disposition.disposition",
            "evaluation.disposition.reasons_zh",
            "evaluation.disposition.reasons_en",
            "rule_version",
        ),
        """
        select
            stars.app_id, population.app_name, coalesce(department.department_name,
            population.department_id), population.side,
            population.family, stars.stars, stars.stars_state, stars.score, stars.status,
            stars.reason_zh, stars.reason_en,
            stars.scored_weight, stars.withheld_weight, stars.not_applicable_weight, disposition.disposition,
            disposition.reasons_zh, disposition.reasons_en, stars.rule_version
        from result.app_stars as stars
        join result.population as population using (app_id)
        left join published.marts.dim_department as department on department.department_id = population.department_id
        left join result.disposition as disposition
            on disposition.subject_kind = 'app' and disposition.app_id = stars.app_id
        order by stars.score desc nulls last, stars.app_id
        """,
    ),
    SheetSpec(
        "指标得分 Points",
        "每个参评应用和指标一行：分子、分母、指标值、分值、得分，或未评分的原因。",
        "One row an app and indicator: numerator, denominator, value, weight, points, or why there are none.",
        "evaluation.indicator_points",
        (
            "app_id",
            *_NAMED_APP,
            "indicator_id",
            "title_zh",
            "title_en",
            "dimension",
            "numerator",
            "denominator",
            "value",
            "weight",
            "points",
            "status",
            "reason_zh",
            "reason_en",
            "covered_days_count",
            "expected_days_count",
            "observations_count",
            "scoring_method",
            "evidence",
            "rule_version",
        ),
        """
        select
            points.app_id, population.app_name, coalesce(department.department_name,
            population.department_id), points.indicator_id,
            points.title_zh, points.title_en, points.dimension, points.numerator,
            points.denominator, points.value, points.weight,
            points.points, points.status, points.reason_zh, points.reason_en, points.covered_days_count,
            points.expected_days_count, points.observations_count, points.scoring_method,
            points.evidence, points.rule_version
        from result.indicator_points as points
        join result.population as population using (app_id)
        left join published.marts.dim_department as department on department.department_id = population.department_id
        order by points.app_id, points.weight desc, points.indicator_id
        """,
    ),
    SheetSpec(
        "低频使用 Low use",
        "评价周期内每个月作出的使用判定，本级全部应用。",
        "The verdict on use of each month of the period, for all apps of the level.",
        "marts.low_use_verdict",
        (
            "app_id",
            *_NAMED_APP,
            "portal",
            "month",
            "verdict",
            "measure",
            "measured_value",
            "threshold_value",
            "measured_state",
            "listed_days_count",
            "reported_days_count",
            "missing_days_count",
            "first_listed_on",
            "reason_zh",
            "reason_en",
            "rule_version",
        ),
        """
        select
            verdict.app_id, app.app_name, coalesce(department.department_name, app.department_id),
            verdict.portal, verdict.month,
            verdict.verdict, verdict.measure, verdict.measured_value, verdict.threshold_value, verdict.measured_state,
            verdict.listed_days_count, verdict.reported_days_count, verdict.missing_days_count, verdict.first_listed_on,
            verdict.reason_zh, verdict.reason_en, verdict.rule_version
        from published.marts.low_use_verdict as verdict
        join published.marts.dim_app as app using (app_id)
        left join published.marts.dim_department as department on department.department_id = app.department_id
        where verdict.is_registered and app.level = $level and verdict.month between $from and $to
        order by list_position(['unused', 'low_use'], verdict.verdict) nulls last, verdict.app_id,
        verdict.month, verdict.portal
        """,
    ),
    SheetSpec(
        "数据共享 Sharing",
        "评价周期内提出的数据共享申请及其两段时钟。",
        "Requests for shared data of the period, with their two clocks.",
        "marts.sharing_request",
        (
            "sharing_request_id",
            "marts.dim_department.department_name",
            "marts.dim_app.app_name",
            "resource_name",
            "provider_department_id",
            "request_kind",
            "sharing_kind",
            "state",
            "applied_at",
            "approved_at",
            "opened_at",
            "rejected_at",
            "apply_to_approve_working_days",
            "approve_target_working_days",
            "is_approved_within_target",
            "open_working_days",
            "approve_to_open_minutes",
            "open_target_minutes",
            "is_opened_within_target",
            "rule_version",
        ),
        """
        select
            request.sharing_request_id, coalesce(department.department_name, request.department_id), app.app_name,
            request.resource_name, coalesce(provider.department_name,
            request.provider_department_id), request.request_kind,
            request.sharing_kind, request.state, request.applied_at, request.approved_at,
            request.opened_at, request.rejected_at,
            request.apply_to_approve_working_days, request.approve_target_working_days,
            request.is_approved_within_target,
            request.open_working_days, request.approve_to_open_minutes, request.open_target_minutes,
            request.is_opened_within_target, request.rule_version
        from published.marts.sharing_request as request
        left join published.marts.dim_department as department on department.department_id = request.department_id
        left join published.marts.dim_department as provider on provider.department_id = request.provider_department_id
        left join published.marts.dim_app as app on app.app_id = request.app_id
        where request.applied_at >= $from and request.applied_at < $to::date + 1
        order by request.applied_at, request.sharing_request_id
        """,
        frozen=1,
    ),
    SheetSpec(
        "重点应用 Key apps",
        "本级重点应用是否已申请数据共享，未申请的原因。",
        "Whether the key apps of the level have asked for shared data, and if not, why.",
        "marts.key_app_sharing",
        (
            "app_id",
            "app_name",
            "marts.dim_department.department_name",
            "has_requested",
            "first_requested_on",
            "requests_count",
            "approved_requests_count",
            "no_sharing_reason",
            "reason_state",
        ),
        """
        select
            sharing.app_id, sharing.app_name, coalesce(department.department_name,
            sharing.department_id), sharing.has_requested,
            sharing.first_requested_on, sharing.requests_count, sharing.approved_requests_count,
            sharing.no_sharing_reason,
            sharing.reason_state
        from published.marts.key_app_sharing as sharing
        left join published.marts.dim_department as department on department.department_id = sharing.department_id
        where sharing.level = $level
        order by sharing.has_requested, sharing.app_id
        """,
    ),
    SheetSpec(
        "资金时效 Funding",
        "每个一本账项目一行：发布、下达、到账、支出及其间隔天数。",
        "One row a project of a ledger: published, released, arrived, spent, and the days between.",
        "marts.funding_lead_time",
        (
            "ledger_level",
            "ledger_version",
            "project_id",
            "project_name",
            "marts.dim_department.department_name",
            "funding_source",
            "state",
            "published_on",
            "first_released_on",
            "first_arrived_on",
            "first_spent_on",
            "publish_to_release_days",
            "release_to_arrive_days",
            "arrive_to_spend_days",
            "publish_to_spend_days",
            "waiting_days",
            "is_spent_before_arrival",
            "released_cny",
            "arrived_cny",
            "spent_cny",
        ),
        """
        select
            lead.ledger_level, lead.ledger_version, lead.project_id, lead.project_name,
            coalesce(department.department_name, lead.department_id), lead.funding_source,
            lead.state, lead.published_on,
            lead.first_released_on, lead.first_arrived_on, lead.first_spent_on, lead.publish_to_release_days,
            lead.release_to_arrive_days, lead.arrive_to_spend_days, lead.publish_to_spend_days, lead.waiting_days,
            lead.is_spent_before_arrival, lead.released_cny, lead.arrived_cny, lead.spent_cny
        from published.marts.funding_lead_time as lead
        left join published.marts.dim_department as department on department.department_id = lead.department_id
        order by lead.ledger_level, lead.ledger_version, lead.project_id
        """,
        frozen=3,
    ),
    SheetSpec(
        "拨付比例 Funding share",
        "评价年度每个项目的三率、拨付比例和金额。",
        "The three rates, share and money of each project in the year of the period.",
        "evaluation.funding_share",
        (
            "project_id",
            "marts.dim_project.project_name",
            "budget_year",
            "online_rate",
            "usage_rate",
            "satisfaction_rate",
            "combined_rate",
            "state",
            "reason",
            "share",
            "budget_cny",
            "payable_cny",
            "withheld_cny",
            "is_frozen",
            "rule_version",
        ),
        """
        select
            share.project_id, project.project_name, share.budget_year, share.online_rate,
            share.usage_rate, share.satisfaction_rate,
            share.combined_rate, share.state, share.reason, share.share, share.budget_cny,
            share.payable_cny, share.withheld_cny,
            share.is_frozen, share.rule_version
        from result.funding_share as share
        left join published.marts.dim_project as project using (project_id)
        where share.budget_year = $year
        order by list_position(['computed', 'withheld'], share.state) nulls last, share.project_id
        """,
    ),
    SheetSpec(
        "审计问题 Findings",
        "审计问题清单：状态、发现时的值、当前值和目标。",
        "The audit's findings: state, value when found, value now and target.",
        "marts.finding",
        (
            "list_year",
            "finding_number",
            "title_zh",
            "title_en",
            "office",
            "requirement",
            "state",
            "reason_zh",
            "reason_en",
            "received_on",
            "first_due_on",
            "second_due_on",
            "is_overdue",
            "overdue_days",
            "metric_title_zh",
            "metric_title_en",
            "unit",
            "value_when_found",
            "value_now",
            "comparison",
            "target",
            "measured_on",
            "met_count",
            "metrics_count",
            "remedy_zh",
            "remedy_en",
            "rule_version",
        ),
        """
        select
            list_year, finding_number, title_zh, title_en, office, requirement, state, reason_zh,
            reason_en, received_on,
            first_due_on, second_due_on, is_overdue, overdue_days, metric_title_zh,
            metric_title_en, unit, value_when_found,
            value_now, comparison, target, measured_on, met_count, metrics_count, remedy_zh, remedy_en, rule_version
        from published.marts.finding order by list_year desc, finding_number
        """,
        frozen=3,
    ),
    SheetSpec(
        "项目 Projects",
        "项目库的全部项目及当前阶段。",
        "Every project of the library with its stage now.",
        "marts.dim_project",
        (
            "project_id",
            "project_name",
            "department_name",
            "level",
            "district_code",
            "family",
            "funding_source",
            "ledger_version",
            "stage",
            "stage_entered_on",
            "declared_on",
            "planned_accept_on",
            "budget_cny",
            "budget_state",
            "is_in_scope",
            "scope_reason",
            "is_omitted_by_source",
        ),
        """
        select
            project_id, project_name, coalesce(department_name, department_id), level,
            district_code, family, funding_source,
            ledger_version, stage, stage_entered_on, declared_on, planned_accept_on, budget_cny,
            budget_state, is_in_scope,
            scope_reason, is_omitted_by_source
        from published.marts.dim_project order by project_id
        """,
    ),
    SheetSpec(
        "部门 Departments",
        "每个部门一行：数据的持有、提供和使用，数据能力得分。",
        "One row a department: the data that it holds, provides and uses, and its capability score.",
        "marts.department_data_capability",
        (
            "department_id",
            "department_name",
            "department_kind",
            "level",
            "resources_count",
            "published_resources_count",
            "published_rate",
            "requested_rate",
            "provided_requests_count",
            "undecided_requests_count",
            "used_requests_count",
            "median_apply_to_approve_working_days",
            "approved_within_target_rate",
            "median_approve_to_open_minutes",
            "opened_within_target_rate",
            "applicable_points",
            "capability_score",
            "capability_state",
            "rule_version",
        ),
        """
        select
            department_id, department_name, department_kind, level, resources_count,
            published_resources_count, published_rate,
            requested_rate, provided_requests_count, undecided_requests_count, used_requests_count,
            median_apply_to_approve_working_days, approved_within_target_rate, median_approve_to_open_minutes,
            opened_within_target_rate, applicable_points, capability_score, capability_state, rule_version
        from published.marts.department_data_capability order by department_id
        """,
    ),
    SheetSpec(
        "隔离 Quarantine",
        "版本所含各来源实体的批次和行数：收到、计入、隔离、被替代。",
        "Batches and rows of each entity in this version: received, accepted, quarantined, superseded.",
        "marts.run_outcome",
        (
            "source",
            "entity",
            "marts.source_freshness.batches_count",
            "received_count",
            "accepted_count",
            "quarantined_count",
            "superseded_count",
            "marts.source_freshness.newest_business_on",
        ),
        """
        select
            source, entity, count(*), sum(received_count), sum(accepted_count),
            sum(quarantined_count), sum(superseded_count),
            max(business_on)
        from batch group by all order by source, entity
        """,
    ),
)
