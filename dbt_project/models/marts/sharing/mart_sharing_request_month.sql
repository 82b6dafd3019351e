with request as (
    select
        request_kind,
        state,
        applied_at,
        approved_at,
        opened_at,
        rejected_at,
        month,
        apply_to_approve_working_days,
        is_approved_within_target,
        approve_to_open_minutes,
        is_opened_within_target
    from {{ ref('mart_sharing_request') }}
),

covered as (
    select
        min(month) as first_month,
        any_value(clock.as_of_on) as as_of_on
    from request
    cross join {{ ref('int_as_of') }} as clock
),

-- Every month since the first request has a row for both kinds, so that a month without requests is a 0.
expected as (
    select
        calendar.month,
        kind.request_kind,
        covered.first_month,
        max(calendar.calendar_on) < covered.as_of_on or last_day(calendar.month) = covered.as_of_on
            as is_month_complete
    from {{ ref('dim_calendar') }} as calendar
    cross join covered
    cross join (select unnest(['batch', 'interface']) as request_kind) as kind
    where calendar.month between covered.first_month and covered.as_of_on
    group by calendar.month, kind.request_kind, covered.first_month, covered.as_of_on
),

applied as (
    select
        month,
        request_kind,
        count(*) as new_requests_count,
        median(apply_to_approve_working_days) as median_apply_to_approve_working_days,
        count(*) filter (where is_approved_within_target) as approved_within_target_count,
        count(is_approved_within_target) as approval_judged_count,
        median(approve_to_open_minutes) as median_approve_to_open_minutes,
        max(approve_to_open_minutes) as maximum_approve_to_open_minutes,
        count(*) filter (where is_opened_within_target) as opened_within_target_count,
        count(is_opened_within_target) as opening_judged_count
    from request
    group by month, request_kind
),

-- Changes of the two waiting lines, by the month in which they happened.
movement as (
    select {{ month_of('applied_at') }} as month, request_kind, 1 as open_change, 0 as unopened_change
    from request
    union all
    select {{ month_of('coalesce(approved_at, rejected_at)') }}, request_kind, -1, 0
    from request
    where coalesce(approved_at, rejected_at) is not null
    union all
    select {{ month_of('approved_at') }}, request_kind, 0, 1
    from request
    where approved_at is not null
    union all
    select {{ month_of('opened_at') }}, request_kind, 0, -1
    from request
    where approved_at is not null and opened_at is not null
),

moved as (
    select
        month,
        request_kind,
        sum(open_change) as open_change,
        sum(unopened_change) as unopened_change
    from movement
    group by month, request_kind
),

counted as (
    select
        expected.month,
        expected.request_kind,
        expected.is_month_complete,
        coalesce(applied.new_requests_count, 0) as new_requests_count,
        applied.median_apply_to_approve_working_days,
        coalesce(applied.approved_within_target_count, 0) as approved_within_target_count,
        coalesce(applied.approval_judged_count, 0) as approval_judged_count,
        applied.median_approve_to_open_minutes,
        applied.maximum_approve_to_open_minutes,
        coalesce(applied.opened_within_target_count, 0) as opened_within_target_count,
        coalesce(applied.opening_judged_count, 0) as opening_judged_count,
        sum(coalesce(moved.open_change, 0)) over through_month as still_open_count,
        sum(coalesce(moved.unopened_change, 0)) over through_month as still_unopened_count
    from expected
    left join applied on expected.month = applied.month and expected.request_kind = applied.request_kind
    left join moved on expected.month = moved.month and expected.request_kind = moved.request_kind
    window through_month as (
        partition by expected.request_kind order by expected.month
        rows between unbounded preceding and current row
    )
)

select
    counted.month,
    counted.request_kind,
    counted.is_month_complete,
    counted.new_requests_count,
    year_before.new_requests_count as year_before_requests_count,
    {{ state_of('year_before.new_requests_count') }} as year_before_state,
    case
        when counted.is_month_complete
            then
                (counted.new_requests_count - year_before.new_requests_count)
                / nullif(cast(year_before.new_requests_count as double), 0)
    end as growth_rate,
    case
        when year_before.new_requests_count is null or not counted.is_month_complete then 'missing'
        when year_before.new_requests_count = 0 then 'not_applicable'
        else 'reported'
    end as growth_state,
    counted.median_apply_to_approve_working_days,
    counted.approved_within_target_count,
    counted.approval_judged_count,
    counted.approved_within_target_count / nullif(cast(counted.approval_judged_count as double), 0)
        as approved_within_target_rate,
    counted.median_approve_to_open_minutes,
    counted.maximum_approve_to_open_minutes,
    counted.opened_within_target_count,
    counted.opening_judged_count,
    counted.opened_within_target_count / nullif(cast(counted.opening_judged_count as double), 0)
        as opened_within_target_rate,
    cast(counted.still_open_count as bigint) as still_open_count,
    cast(counted.still_unopened_count as bigint) as still_unopened_count
from counted
left join counted as year_before
    on
        counted.month = year_before.month + interval 1 year
        and counted.request_kind = year_before.request_kind
