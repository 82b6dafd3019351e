with rule as (
    select
        list_year,
        finding_number,
        title_en,
        found_on,
        remedy_on,
        remedy_zh,
        remedy_en,
        rule_version,
        source,
        effective_from,
        coalesce(effective_to, date '9999-12-31') as effective_to
    from {{ ref('finding_rule') }}
),

newest as (
    select
        list_year,
        finding_number,
        last(month order by month) as month,
        count(*) filter (where is_newly_reopened) as reopened_count
    from {{ ref('mart_finding_history') }}
    group by list_year, finding_number
),

-- The first metric of a finding speaks for it in lists; all of them decide.
lead_metric as (
    select
        list_year,
        finding_number,
        metric_id,
        title_zh,
        title_en,
        unit,
        value_when_found,
        found_state,
        reported_when_found,
        value_now,
        comparison,
        target,
        row_number() over (partition by list_year, finding_number order by metric_order) as position
    from {{ ref('mart_finding_metric') }}
),

joined as (
    select
        listed.list_year,
        listed.finding_number,
        listed.finding_title,
        rule.title_en,
        listed.office,
        listed.requirement,
        listed.received_on,
        listed.first_due_on,
        listed.second_due_on,
        listed.reported_state,
        rule.found_on,
        coalesce(rule.remedy_on, listed.second_due_on) as remedy_on,
        rule.remedy_zh,
        rule.remedy_en,
        rule.rule_version,
        rule.source,
        lead_metric.metric_id,
        lead_metric.title_zh as metric_title_zh,
        lead_metric.title_en as metric_title_en,
        lead_metric.unit,
        lead_metric.value_when_found,
        coalesce(lead_metric.found_state, 'cannot_determine') as found_state,
        lead_metric.reported_when_found,
        lead_metric.value_now,
        lead_metric.comparison,
        lead_metric.target,
        history.measured_on,
        coalesce(history.state, 'cannot_determine') as state,
        coalesce(history.reason, 'no_full_month') as reason,
        coalesce(history.reason_zh, '没有可供判定的完整月份或指标') as reason_zh,
        coalesce(history.reason_en, 'no full month of data, or no metric, to judge it by') as reason_en,
        history.closed_on,
        history.reopened_on,
        coalesce(newest.reopened_count, 0) as reopened_count,
        coalesce(history.metrics_count, 0) as metrics_count,
        coalesce(history.met_count, 0) as met_count,
        coalesce(history.missed_count, 0) as missed_count,
        coalesce(history.undetermined_count, 0) as undetermined_count,
        listed.as_of_on
    from {{ ref('mart_rectification') }} as listed
    left join rule
        on
            listed.list_year = rule.list_year and listed.finding_number = rule.finding_number
            and listed.as_of_on between rule.effective_from and rule.effective_to
    left join newest
        on listed.list_year = newest.list_year and listed.finding_number = newest.finding_number
    left join {{ ref('mart_finding_history') }} as history
        on
            newest.list_year = history.list_year
            and newest.finding_number = history.finding_number
            and newest.month = history.month
    left join lead_metric
        on
            listed.list_year = lead_metric.list_year
            and listed.finding_number = lead_metric.finding_number
            and lead_metric.position = 1
)

select
    list_year,
    finding_number,
    finding_title as title_zh,
    title_en,
    office,
    requirement,
    received_on,
    first_due_on,
    second_due_on,
    remedy_on,
    remedy_zh,
    remedy_en,
    reported_state,
    state,
    reason,
    reason_zh,
    reason_en,
    closed_on,
    reopened_on,
    reopened_count,
    case state when 'closed' then 0 else greatest(as_of_on - second_due_on, 0) end as overdue_days,
    state <> 'closed' and as_of_on > second_due_on as is_overdue,
    metric_id,
    metric_title_zh,
    metric_title_en,
    unit,
    found_on,
    value_when_found,
    found_state,
    reported_when_found,
    value_now,
    measured_on,
    comparison,
    target,
    metrics_count,
    met_count,
    missed_count,
    undetermined_count,
    as_of_on,
    rule_version,
    source
from joined
