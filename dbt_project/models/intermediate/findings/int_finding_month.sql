-- From the month in which the first finding was made to the last month that has ended.
with first_found as (
    select min(found_on) as found_on
    from {{ ref('finding_rule') }}
),

ended as (
    select distinct
        calendar.month as period_start_on,
        last_day(calendar.month) as period_end_on
    from {{ ref('dim_calendar') }} as calendar
    cross join {{ ref('int_as_of') }} as clock
    cross join first_found
    where calendar.month >= {{ month_of('first_found.found_on') }} and last_day(calendar.month) <= clock.as_of_on
)

select
    ended.period_start_on,
    ended.period_end_on,
    low.value as low_use_daily_visitors,
    release_limit.value as release_after_ledger_days,
    outage.value as outage_missing_day_share
from ended
left join {{ ref('rule_threshold') }} as low
    on {{ rule_in_force('low', 'low_use_daily_visitors', 'ended.period_end_on', "'service'") }}
left join {{ ref('rule_threshold') }} as outage
    on {{ rule_in_force('outage', 'outage_missing_day_share', 'ended.period_end_on') }}
left join {{ ref('rule_threshold_projects') }} as release_limit
    on {{ rule_in_force('release_limit', 'release_after_ledger_days', 'ended.period_end_on') }}
