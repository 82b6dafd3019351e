with delivered as (
    select
        {{ portal_of('release_end') }} as portal,
        month,
        coalesce(bit_or(reported_days_mask), 0) as delivered_days_mask,
        count(distinct app_id) filter (where reported_days_mask > 0) as reporting_apps_count
    from {{ ref('mart_app_usage_month') }}
    group by {{ portal_of('release_end') }}, month
)

select
    delivered.portal,
    delivered.month,
    delivered.reporting_apps_count,
    cast(day(least(last_day(delivered.month), clock.as_of_on)) as bigint) as expected_days_count,
    cast(bit_count(delivered.delivered_days_mask) as bigint) as delivered_days_count,
    cast(
        day(least(last_day(delivered.month), clock.as_of_on)) - bit_count(delivered.delivered_days_mask) as bigint
    ) as missing_days_count,
    delivered.delivered_days_mask
from delivered
cross join {{ ref('int_as_of') }} as clock
where delivered.month <= clock.as_of_on
