-- Numerator, denominator and value of every indicator for every app in scope: the exhaustive index.
with scope as (
    select
        population.run_id,
        population.app_id,
        population.side,
        case population.side when 'service' then 'zheliban' else 'zhezhengding' end as portal,
        round.period_start_on,
        round.period_end_on,
        round.cut_off_on
    from {{ ref('evaluation_population') }} as population
    inner join {{ ref('evaluation_round') }} as round on population.run_id = round.round_id
    where population.is_in_scope
),

used as (
    select
        scope.run_id,
        scope.app_id,
        sum(usage.visitors_count) as visitors_count,
        sum(usage.reported_days_count) as reported_days_count,
        sum(usage.active_rate_sum) as active_rate_sum,
        sum(usage.active_rate_days_count) as active_rate_days_count,
        sum(usage.listed_days_count) as listed_days_count
    from scope
    inner join {{ ref('mart_portal_usage_month') }} as usage
        on
            scope.app_id = usage.app_id
            and scope.portal = usage.portal
            and usage.month between scope.period_start_on and scope.period_end_on
    group by scope.run_id, scope.app_id
),

-- What users said and finished, on whichever end.
answered as (
    select
        scope.run_id,
        scope.app_id,
        sum(usage.starts_count) as starts_count,
        sum(usage.completions_count) as completions_count,
        sum(
            usage.rating_1_count + usage.rating_2_count + usage.rating_3_count + usage.rating_4_count
            + usage.rating_5_count
        ) as ratings_count,
        sum(
            usage.rating_2_count + 2 * usage.rating_3_count + 3 * usage.rating_4_count + 4 * usage.rating_5_count
        ) as rating_steps_count
    from scope
    inner join {{ ref('mart_portal_usage_month') }} as usage
        on scope.app_id = usage.app_id and usage.month between scope.period_start_on and scope.period_end_on
    group by scope.run_id, scope.app_id
),

requested as (
    select
        scope.run_id,
        scope.app_id,
        count(*) as requests_count,
        count(*) filter (where cast(request.approved_at as date) <= scope.cut_off_on) as approved_requests_count
    from scope
    inner join {{ ref('stg_irs__sharing_request') }} as request
        on scope.app_id = request.app_id and cast(request.applied_at as date) <= scope.cut_off_on
    group by scope.run_id, scope.app_id
),

measured as (
    select
        scope.run_id,
        scope.app_id,
        scope.side,
        'use' as indicator_id,
        case scope.side when 'service' then cast(used.visitors_count as double) else used.active_rate_sum end
            as numerator,
        case scope.side
            when 'service' then cast(used.reported_days_count as double)
            else cast(used.active_rate_days_count as double)
        end as denominator,
        'no_days_reported' as reason_without_denominator
    from scope
    left join used on scope.run_id = used.run_id and scope.app_id = used.app_id
    union all
    select
        scope.run_id,
        scope.app_id,
        scope.side,
        'satisfaction',
        cast(answered.rating_steps_count as double),
        cast(4 * answered.ratings_count as double),
        'no_ratings'
    from scope
    left join answered on scope.run_id = answered.run_id and scope.app_id = answered.app_id
    union all
    select
        scope.run_id,
        scope.app_id,
        scope.side,
        'online',
        cast(coalesce(used.listed_days_count, 0) as double),
        cast(scope.period_end_on - scope.period_start_on + 1 as double),
        null
    from scope
    left join used on scope.run_id = used.run_id and scope.app_id = used.app_id
    union all
    select
        scope.run_id,
        scope.app_id,
        scope.side,
        'completion',
        cast(answered.completions_count as double),
        cast(answered.starts_count as double),
        'nothing_started'
    from scope
    left join answered on scope.run_id = answered.run_id and scope.app_id = answered.app_id
    union all
    -- 0 nobody asked, 1 asked, 2 at least one request approved.
    select
        scope.run_id,
        scope.app_id,
        scope.side,
        'sharing',
        case
            when requested.approved_requests_count > 0 then 2
            when requested.requests_count > 0 then 1
            else 0
        end,
        1,
        null
    from scope
    left join requested on scope.run_id = requested.run_id and scope.app_id = requested.app_id
)

select
    run_id,
    app_id,
    side,
    indicator_id,
    numerator,
    denominator,
    numerator / nullif(denominator, 0) as value,
    reason_without_denominator
from measured
