{%- set metrics = finding_metrics() -%}
with period as (
    select
        period_start_on,
        period_end_on,
        low_use_daily_visitors,
        release_after_ledger_days,
        outage_missing_day_share
    from {{ ref('int_finding_month') }}
),

{% for metric in metrics -%}
{% if metric.observed -%}
observed_{{ metric.metric_id }} as (
    select
        period.period_start_on,
        cast(count(seen.{{ metric.observed_column }}) as bigint) as rows_count
    from period
    left join {{ ref(metric.observed) }} as seen on {{ metric.observed_filter }}
    group by period.period_start_on
),

{% endif -%}
metric_{{ metric.metric_id }} as (
    select
        '{{ metric.metric_id }}' as metric_id,
        period.period_start_on as month,
        cast({{ metric.value }} as double) as value,
        cast({{ metric.upper or metric.value }} as double) as upper_value,
        {% if metric.observed -%}
        any_value(observed.rows_count) as observations_count,
        {%- else -%}
        cast({{ metric.observations }} as bigint) as observations_count,
        {%- endif %}
        {{ dated_from(metric) }} as dated_from_on
    from period
    {% if metric.observed -%}
    inner join observed_{{ metric.metric_id }} as observed on period.period_start_on = observed.period_start_on
    {% endif -%}
    left join {{ ref(metric.mart) }} as fact on {{ metric.filter }}
    {% for join in metric.joins or [] -%}
    left join {{ ref(join.model) }} as {{ join.alias }} on {{ join.on }}
    {% endfor -%}
    group by period.period_start_on
),

{% endfor -%}
counted as (
    {%- for metric in metrics %}
    select
        metric_id,
        month,
        value,
        upper_value,
        observations_count,
        dated_from_on,
        {{ sql_text(metric.portal) }} as portal,
        '{{ metric.without_observations or "missing" }}' as without_observations
    from metric_{{ metric.metric_id }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- A delivery that has not come up to the end of the month leaves its metrics unknown.
wanted as (
    {%- for metric in metrics -%}
    {%- set is_last = loop.last -%}
    {%- for entity in metric.entities %}
    select '{{ metric.metric_id }}' as metric_id, '{{ entity }}' as delivery
    {{ 'union all' if not (is_last and loop.last) }}
    {%- endfor -%}
    {%- endfor %}
),

needed as (
    select
        wanted.metric_id,
        period.period_start_on as month,
        string_agg(wanted.delivery, ';' order by wanted.delivery) filter (
            where coalesce(freshness.newest_business_on < period.period_end_on, true)
        ) as missing_deliveries
    from wanted
    cross join period
    left join {{ ref('mart_source_freshness') }} as freshness
        on wanted.delivery = freshness.source || '.' || freshness.entity
    group by wanted.metric_id, period.period_start_on
),

explained as (
    select
        counted.metric_id,
        counted.month,
        period.period_end_on as measured_on,
        counted.value,
        counted.upper_value,
        counted.observations_count,
        counted.dated_from_on,
        needed.missing_deliveries,
        case
            when needed.missing_deliveries is not null then 'source_not_delivered'
            when
                counted.portal is not null
                and coalesce(
                    delivery.missing_days_count >= period.outage_missing_day_share * delivery.expected_days_count, true
                ) then 'portal_days_missing'
            when counted.observations_count = 0 and counted.without_observations = 'not_applicable'
                then 'nothing_happened'
            when counted.observations_count = 0 or counted.value is null then 'data_missing'
        end as reason
    from counted
    inner join period on counted.month = period.period_start_on
    inner join needed on counted.metric_id = needed.metric_id and counted.month = needed.month
    left join {{ ref('mart_portal_delivery_month') }} as delivery
        on counted.portal = delivery.portal and counted.month = delivery.month
)

select
    metric_id,
    month,
    measured_on,
    -- Nine decimals: the last bits of a sum depend on the order in which it was added up.
    case when reason is null then round(value, 9) end as value,
    case when reason is null then round(upper_value, 9) end as upper_value,
    observations_count,
    case when reason is null then dated_from_on end as dated_from_on,
    missing_deliveries,
    reason
from explained
