-- Months with daily usage, and up to the day as of which we compute: listings of other times need no row.
with span as (
    select
        coalesce(min(usage.month), {{ month_of('any_value(clock.as_of_on)') }}) as first_month,
        any_value(clock.as_of_on) as as_of_on
    from {{ ref('int_as_of') }} as clock
    left join {{ ref('int_app_usage_month') }} as usage on true
),

month as (
    select
        cast(unnest(generate_series(first_month, as_of_on, interval 1 month)) as date) as month,
        as_of_on
    from span
),

bounded as (
    select
        month,
        least(last_day(month), as_of_on) as last_on
    from month
),

listed as (
    select
        interval_row.app_id,
        interval_row.release_end,
        interval_row.portal,
        bounded.month,
        greatest(interval_row.listed_on, bounded.month) as first_on,
        least(coalesce(interval_row.delisted_on - 1, bounded.last_on), bounded.last_on) as last_on
    from {{ ref('int_listing_interval') }} as interval_row
    inner join bounded
        on
            interval_row.listed_on <= bounded.last_on
            and coalesce(interval_row.delisted_on, date '9999-12-31') > bounded.month
)

select
    app_id,
    release_end,
    portal,
    month,
    bit_or({{ day_mask('day(first_on)', 'day(last_on)') }}) as listed_days_mask
from listed
where first_on <= last_on
group by app_id, release_end, portal, month
