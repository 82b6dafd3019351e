{%- set base = metrics() | selectattr('mart', 'defined') | list -%}
{%- set derived = derived_metrics_in_order() -%}
with scope as (
    select
        population.run_id,
        population.app_id,
        population.department_id,
        case population.side when 'service' then 'zheliban' else 'zhezhengding' end as portal,
        round.period_start_on,
        round.period_end_on,
        round.cut_off_on
    from {{ ref('evaluation_population') }} as population
    inner join {{ ref('evaluation_round') }} as round on population.run_id = round.round_id
    where population.is_in_scope
),

{% for metric in base -%}
metric_{{ metric.metric_id }} as (
    select
        scope.run_id,
        scope.app_id,
        '{{ metric.metric_id }}' as metric_id,
        {{ sql_text(metric.coverage) }} as coverage,
        {{ sql_text(metric.reason_without_denominator) }} as reason_without_denominator,
        cast({{ metric.numerator }} as double) as numerator,
        cast({{ metric.denominator }} as double) as denominator,
        {% if metric.observations -%} cast({{ metric.observations }} as bigint)
        {%- else -%} cast(null as bigint) {%- endif %} as observations_count
    from scope
    left join {{ ref(metric.mart) }} as fact
        on scope.{{ metric.key or 'app_id' }} = fact.{{ metric.key or 'app_id' }} and {{ metric.filter }}
    group by scope.run_id, scope.app_id
),

{% endfor -%}
counted as (
    {%- for metric in base %}
    select
        run_id,
        app_id,
        metric_id,
        coverage,
        reason_without_denominator,
        numerator,
        denominator,
        observations_count
    from metric_{{ metric.metric_id }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- A delivery that has not come up to the cut-off day leaves its metrics unknown.
delivered as (
    select
        source || '.' || entity as delivery,
        newest_business_on
    from {{ ref('mart_source_freshness') }}
),

needed as (
    select
        wanted.metric_id,
        round.round_id as run_id,
        string_agg(wanted.delivery, ';' order by wanted.delivery) filter (
            where delivered.newest_business_on is null or delivered.newest_business_on < round.cut_off_on
        ) as missing_deliveries
    from (
        {%- for metric in base if metric.entities -%}
        {%- set is_last = loop.last -%}
        {%- for entity in metric.entities %}
        select '{{ metric.metric_id }}' as metric_id, '{{ entity }}' as delivery
        {{ 'union all' if not (is_last and loop.last) }}
        {%- endfor -%}
        {%- endfor %}
    ) as wanted
    cross join {{ ref('evaluation_round') }} as round
    left join delivered on wanted.delivery = delivered.delivery
    group by wanted.metric_id, round.round_id
),

measured as (
    select
        counted.run_id,
        counted.app_id,
        counted.metric_id,
        -- Nine decimals: the last bits of a sum depend on the order in which it was added up.
        case when needed.missing_deliveries is null then round(counted.numerator, 9) end as numerator,
        case when needed.missing_deliveries is null then round(counted.denominator, 9) end as denominator,
        counted.observations_count,
        case counted.coverage
            when 'reported_days' then usage_coverage.reported_days_count
            when 'delivered_days' then usage_coverage.delivered_days_count
        end as covered_days_count,
        case when counted.coverage is not null then usage_coverage.listed_days_count end as expected_days_count,
        needed.missing_deliveries,
        case
            when needed.missing_deliveries is not null then 'source_not_delivered'
            when counted.numerator is null or counted.denominator is null then 'data_missing'
            when counted.denominator = 0 then coalesce(counted.reason_without_denominator, 'data_missing')
        end as reason
    from counted
    left join needed on counted.run_id = needed.run_id and counted.metric_id = needed.metric_id
    left join {{ ref('evaluation_usage_coverage') }} as usage_coverage
        on counted.run_id = usage_coverage.run_id and counted.app_id = usage_coverage.app_id
),

-- A derived metric reads the two that it needs and carries no other along.
{% for metric in derived -%}
derived_{{ metric.metric_id }} as (
    select
        upper_part.run_id,
        upper_part.app_id,
        '{{ metric.metric_id }}' as metric_id,
        upper_part.numerator / nullif(upper_part.denominator, 0) as numerator,
        lower_part.numerator / nullif(lower_part.denominator, 0) as denominator,
        coalesce(lower_part.observations_count, upper_part.observations_count) as observations_count,
        coalesce(upper_part.covered_days_count, lower_part.covered_days_count) as covered_days_count,
        coalesce(upper_part.expected_days_count, lower_part.expected_days_count) as expected_days_count,
        nullif(concat_ws(';', upper_part.missing_deliveries, lower_part.missing_deliveries), '') as missing_deliveries,
        coalesce(upper_part.reason, lower_part.reason, case
            when lower_part.numerator = 0 then {{ sql_text(metric.reason_without_denominator or 'data_missing') }}
        end) as reason
    from {{ measured_in(metric.numerator_metric) }} as upper_part
    inner join {{ measured_in(metric.denominator_metric) }} as lower_part
        on upper_part.run_id = lower_part.run_id and upper_part.app_id = lower_part.app_id
    where
        upper_part.metric_id = '{{ metric.numerator_metric }}'
        and lower_part.metric_id = '{{ metric.denominator_metric }}'
),

{% endfor -%}
all_measured as (
    {%- for metric in [none] + derived %}
    select
        run_id,
        app_id,
        metric_id,
        numerator,
        denominator,
        observations_count,
        covered_days_count,
        expected_days_count,
        missing_deliveries,
        reason
    from {{ measured_in(metric.metric_id) if metric else 'measured' }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    run_id,
    app_id,
    metric_id,
    numerator,
    denominator,
    case when reason is null then numerator / denominator end as value,
    observations_count,
    covered_days_count,
    expected_days_count,
    missing_deliveries,
    reason
from all_measured
