-- Judged month by month from what the data of that month say: a finding that falls back is open again by itself.
with finding as (
    select
        listed.list_year,
        listed.finding_number,
        listed.reported_state,
        rule.closing_share
    from {{ ref('mart_rectification') }} as listed
    inner join {{ ref('finding_rule') }} as rule
        on
            listed.list_year = rule.list_year and listed.finding_number = rule.finding_number
            and listed.as_of_on >= rule.effective_from
            and listed.as_of_on <= coalesce(rule.effective_to, date '9999-12-31')
),

counted as (
    select
        metric.list_year,
        metric.finding_number,
        metric.month,
        any_value(metric.measured_on) as measured_on,
        any_value(finding.reported_state) as reported_state,
        count(*) as metrics_count,
        count(*) filter (where metric.state = 'met') as met_count,
        count(*) filter (where metric.state = 'missed') as missed_count,
        count(*) filter (where metric.state = 'cannot_determine') as undetermined_count,
        count(*) filter (where metric.state = 'not_applicable') as not_applicable_count,
        count(*) filter (where metric.state = 'before_remedy') as before_remedy_count,
        count(*) filter (
            where metric.state = 'missed' and coalesce(metric.way_to_target_share < finding.closing_share, true)
        ) as far_from_target_count,
        string_agg(
            metric.title_zh || ' ' || {{ plain_number('metric.value') }}, '；' order by metric.metric_order
        ) filter (where metric.state = 'missed') as missed_zh,
        string_agg(
            metric.title_en || ': ' || {{ plain_number('metric.value') }}, '; ' order by metric.metric_order
        ) filter (where metric.state = 'missed') as missed_en,
        string_agg(metric.title_zh, '；' order by metric.metric_order)
        filter (where metric.state = 'cannot_determine') as undetermined_zh,
        string_agg(metric.title_en || ' (' || metric.reason || ')', '; ' order by metric.metric_order)
        filter (where metric.state = 'cannot_determine') as undetermined_en
    from {{ ref('mart_finding_metric_month') }} as metric
    inner join finding
        on metric.list_year = finding.list_year and metric.finding_number = finding.finding_number
    group by metric.list_year, metric.finding_number, metric.month
),

proven as (
    select
        list_year,
        finding_number,
        month,
        measured_on,
        reported_state,
        metrics_count,
        met_count,
        missed_count,
        undetermined_count,
        not_applicable_count,
        before_remedy_count,
        far_from_target_count,
        missed_zh,
        missed_en,
        undetermined_zh,
        undetermined_en,
        reported_state = 'done' and met_count > 0 and met_count + not_applicable_count = metrics_count as is_proven
    from counted
),

remembered as (
    select
        list_year,
        finding_number,
        month,
        measured_on,
        reported_state,
        metrics_count,
        met_count,
        missed_count,
        undetermined_count,
        before_remedy_count,
        far_from_target_count,
        missed_zh,
        missed_en,
        undetermined_zh,
        undetermined_en,
        is_proven,
        max(case when is_proven then measured_on end) over (
            partition by list_year, finding_number order by month rows between unbounded preceding and 1 preceding
        ) as proven_before_on
    from proven
),

stated as (
    select
        list_year,
        finding_number,
        month,
        measured_on,
        metrics_count,
        met_count,
        missed_count,
        undetermined_count,
        missed_zh,
        missed_en,
        undetermined_zh,
        undetermined_en,
        proven_before_on,
        case
            when before_remedy_count = metrics_count then 'open'
            when missed_count > 0 and proven_before_on is not null then 'reopened'
            when missed_count > 0 and (far_from_target_count > 0 or reported_state = 'not_started') then 'open'
            when missed_count > 0 then 'closing'
            when undetermined_count > 0 or met_count = 0 then 'cannot_determine'
            when is_proven then 'closed'
            when reported_state = 'not_started' then 'open'
            else 'closing'
        end as state,
        case
            when before_remedy_count = metrics_count then 'no_data_after_remedy'
            when missed_count > 0 then 'target_missed'
            when undetermined_count > 0 then 'metric_undetermined'
            when met_count = 0 then 'nothing_happened'
            when before_remedy_count > 0 then 'waiting_for_data'
            when reported_state <> 'done' then 'remedy_not_reported_done'
            else 'target_met'
        end as reason
    from remembered
),

-- A spell begins with each month that misses after the target was met, and with each that meets it after a miss.
numbered as (
    select
        list_year,
        finding_number,
        month,
        measured_on,
        state,
        reason,
        metrics_count,
        met_count,
        missed_count,
        undetermined_count,
        missed_zh,
        missed_en,
        undetermined_zh,
        undetermined_en,
        proven_before_on,
        count(*) filter (where missed_count > 0) over upward as misses_so_far
    from stated
    window upward as (
        partition by list_year, finding_number order by month rows between unbounded preceding and current row
    )
),

dated as (
    select
        list_year,
        finding_number,
        month,
        measured_on,
        state,
        reason,
        metrics_count,
        met_count,
        missed_count,
        undetermined_count,
        missed_zh,
        missed_en,
        undetermined_zh,
        undetermined_en,
        min(case when state = 'closed' then measured_on end) over (
            partition by list_year, finding_number, misses_so_far
        ) as proven_since_on,
        case
            when state = 'reopened'
                then min(case when state = 'reopened' then measured_on end) over (
                    partition by list_year, finding_number, proven_before_on
                )
        end as reopened_on
    from numbered
)

select
    list_year,
    finding_number,
    month,
    measured_on,
    state,
    reason,
    case state when 'closed' then proven_since_on end as closed_on,
    reopened_on,
    coalesce(reopened_on = measured_on, false) as is_newly_reopened,
    coalesce(state = 'closed' and proven_since_on = measured_on, false) as is_newly_closed,
    metrics_count,
    met_count,
    missed_count,
    undetermined_count,
    case reason
        when 'no_data_after_remedy' then '整改之后尚无完整月份的数据'
        when 'target_missed' then '未达目标：' || missed_zh
        when 'metric_undetermined' then '无法判定：' || undetermined_zh
        when 'nothing_happened' then '整改之后没有可供判定的事项'
        when 'waiting_for_data' then '部分指标尚无整改之后的数据'
        when 'remedy_not_reported_done' then '指标已达目标，责任处室尚未报告整改完成'
        when 'target_met' then '整改之后的数据达到目标'
    end as reason_zh,
    case reason
        when 'no_data_after_remedy' then 'no full month of data since the remedy'
        when 'target_missed' then 'target missed: ' || missed_en
        when 'metric_undetermined' then 'cannot be determined: ' || undetermined_en
        when 'nothing_happened' then 'nothing happened since the remedy that could be judged'
        when 'waiting_for_data' then 'some metrics have no data from after the remedy yet'
        when 'remedy_not_reported_done' then 'the targets are met; the office has not reported the remedy done'
        when 'target_met' then 'data from after the remedy meet the targets'
    end as reason_en
from dated
