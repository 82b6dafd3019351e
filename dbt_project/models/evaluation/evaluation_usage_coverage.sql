with scope as (
    select
        population.run_id,
        population.app_id,
        case population.side when 'service' then 'zheliban' else 'zhezhengding' end as portal,
        round.period_start_on,
        round.period_end_on
    from {{ ref('evaluation_population') }} as population
    inner join {{ ref('evaluation_round') }} as round on population.run_id = round.round_id
    where population.is_in_scope
),

-- The days of an app in a month against those of its portal: a portal's missing file is not the app's fault.
of_month as (
    select
        scope.run_id,
        scope.app_id,
        usage.month,
        usage.listed_days_count,
        usage.reported_days_count,
        bit_count(coalesce(usage.listed_days_mask, 0) & coalesce(delivery.delivered_days_mask, 0))
            as delivered_days_count
    from scope
    inner join {{ ref('mart_portal_usage_month') }} as usage
        on
            scope.app_id = usage.app_id
            and scope.portal = usage.portal
            and usage.month between scope.period_start_on and scope.period_end_on
    left join {{ ref('mart_portal_delivery_month') }} as delivery
        on usage.portal = delivery.portal and usage.month = delivery.month
),

summed as (
    select
        run_id,
        app_id,
        sum(listed_days_count) as listed_days_count,
        sum(delivered_days_count) as delivered_days_count,
        sum(reported_days_count) as reported_days_count,
        string_agg(
            strftime(month, '%Y-%m') || ' (' || (listed_days_count - delivered_days_count) || ')', ', ' order by month
        ) filter (where listed_days_count > delivered_days_count) as portal_gaps
    from of_month
    group by run_id, app_id
)

select
    scope.run_id,
    scope.app_id,
    scope.portal,
    cast(scope.period_end_on - scope.period_start_on + 1 as bigint) as period_days_count,
    cast(coalesce(summed.listed_days_count, 0) as bigint) as listed_days_count,
    cast(coalesce(summed.delivered_days_count, 0) as bigint) as delivered_days_count,
    cast(coalesce(summed.reported_days_count, 0) as bigint) as reported_days_count,
    summed.portal_gaps
from scope
left join summed on scope.run_id = summed.run_id and scope.app_id = summed.app_id
