{%- set metrics = finding_metrics() -%}
with newest as (
    select
        list_year,
        finding_number,
        metric_id,
        max(month) as month
    from {{ ref('mart_finding_metric_month') }}
    group by list_year, finding_number, metric_id
),

period as (
    select
        period_start_on,
        period_end_on,
        low_use_daily_visitors,
        release_after_ledger_days
    from {{ ref('int_finding_month') }}
),

-- What computes the value and what lists the rows behind it, with the days of the newest month in them.
definition as (
    {%- for metric in metrics %}
    select
        '{{ metric.metric_id }}' as metric_id,
        '{{ relation_of(metric.mart) }}' as mart,
        '{{ metric.key | join(",") }}' as evidence_key,
        {{ sql_text(finding_query(metric, false)) }} as value_query,
        {{ sql_text(finding_query(metric, true)) }} as evidence_query
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

remedy as (
    select
        list_year,
        finding_number,
        metric_id,
        last(remedy_zh order by effective_from) as remedy_zh,
        last(remedy_en order by effective_from) as remedy_en
    from {{ ref('finding_target') }}
    group by list_year, finding_number, metric_id
)

select
    metric.list_year,
    metric.finding_number,
    metric.metric_id,
    metric.metric_order,
    metric.title_zh,
    metric.title_en,
    metric.unit,
    metric.is_higher_better,
    metric.value_when_found,
    {{ state_of('metric.value_when_found', "'cannot_determine'") }} as found_state,
    metric.found_on,
    metric.reported_when_found,
    metric.value as value_now,
    metric.upper_value as upper_value_now,
    metric.measured_on,
    metric.dated_from_on,
    metric.comparison,
    metric.target,
    metric.state,
    metric.reason,
    metric.way_to_target_share,
    metric.remedy_on,
    metric.observations_count,
    metric.missing_deliveries,
    definition.mart,
    definition.evidence_key,
    {{ with_period('definition.value_query') }} as value_query,
    {{ with_period('definition.evidence_query') }} as evidence_query,
    remedy.remedy_zh,
    remedy.remedy_en,
    metric.rule_version,
    metric.source
from {{ ref('mart_finding_metric_month') }} as metric
inner join newest
    on
        metric.list_year = newest.list_year
        and metric.finding_number = newest.finding_number
        and metric.metric_id = newest.metric_id
        and metric.month = newest.month
inner join period on metric.month = period.period_start_on
inner join definition on metric.metric_id = definition.metric_id
inner join remedy
    on
        metric.list_year = remedy.list_year
        and metric.finding_number = remedy.finding_number
        and metric.metric_id = remedy.metric_id
