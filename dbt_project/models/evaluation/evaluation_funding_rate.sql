with budget as (
    select
        execution.project_id,
        execution.budget_year,
        make_date(execution.budget_year, 1, 1) as measured_from_on,
        least(make_date(execution.budget_year, 12, 31), clock.as_of_on) as measured_to_on
    from {{ ref('mart_budget_execution') }} as execution
    cross join {{ ref('int_as_of') }} as clock
    -- A year that has not begun is not judged yet.
    where make_date(execution.budget_year, 1, 1) <= clock.as_of_on
),

-- A link counts for the years from the one in which it was made.
linked as (
    select
        budget.project_id,
        budget.budget_year,
        budget.measured_from_on,
        budget.measured_to_on,
        link.app_id,
        link.is_app_known
    from budget
    inner join {{ ref('mart_project_app_link') }} as link
        on
            budget.project_id = link.project_id
            and coalesce(link.linked_on, date '1970-01-01') <= budget.measured_to_on
            and not coalesce(link.is_omitted_by_source, false)
),

listed as (
    select distinct
        linked.project_id,
        linked.budget_year,
        linked.app_id
    from linked
    inner join {{ ref('mart_app_listing_history') }} as listing
        on
            linked.app_id = listing.app_id
            and listing.portal <> 'standalone_app'
            and linked.measured_to_on >= listing.listed_on
            and coalesce(listing.delisted_on, date '9999-12-31') > linked.measured_to_on
),

online as (
    select
        linked.project_id,
        linked.budget_year,
        count(*) as linked_apps_count,
        count(*) filter (where not linked.is_app_known) as unknown_apps_count,
        count(listed.app_id) as online_apps_count
    from linked
    left join listed
        on
            linked.project_id = listed.project_id
            and linked.budget_year = listed.budget_year
            and linked.app_id = listed.app_id
    group by linked.project_id, linked.budget_year
),

-- Months in which an app was new or not listed are no one's fault; broken collectors leave the use unknown.
used as (
    select
        linked.project_id,
        linked.budget_year,
        count(*) filter (where verdict.verdict in ('in_use', 'seasonal')) as months_in_use_count,
        count(*) filter (where verdict.verdict in ('in_use', 'seasonal', 'low_use', 'unused')) as months_judged_count,
        count(*) filter (where verdict.verdict in ('collector_outage', 'not_measured')) as months_unknown_count
    from linked
    inner join {{ ref('mart_low_use_verdict') }} as verdict
        on
            linked.app_id = verdict.app_id
            and verdict.period_grain = 'month'
            and verdict.is_registered
            and verdict.period_start_on between linked.measured_from_on and linked.measured_to_on
    group by linked.project_id, linked.budget_year
),

answered as (
    select
        linked.project_id,
        linked.budget_year,
        sum(
            usage.rating_2_count + 2 * usage.rating_3_count + 3 * usage.rating_4_count + 4 * usage.rating_5_count
        ) as rating_steps_count,
        sum(
            usage.rating_1_count + usage.rating_2_count + usage.rating_3_count + usage.rating_4_count
            + usage.rating_5_count
        ) as ratings_count
    from linked
    inner join {{ ref('mart_portal_usage_month') }} as usage
        on linked.app_id = usage.app_id and usage.month between linked.measured_from_on and linked.measured_to_on
    group by linked.project_id, linked.budget_year
),

measured as (
    select
        budget.project_id,
        budget.budget_year,
        'online_rate' as rate_id,
        budget.measured_to_on,
        coalesce(online.linked_apps_count, 0) as linked_apps_count,
        case when online.unknown_apps_count = 0 then online.online_apps_count end as numerator,
        online.linked_apps_count as denominator,
        case when online.unknown_apps_count = 0 then 'reported' else 'missing' end as state
    from budget
    left join online on budget.project_id = online.project_id and budget.budget_year = online.budget_year
    union all
    select
        budget.project_id,
        budget.budget_year,
        'usage_rate',
        budget.measured_to_on,
        coalesce(online.linked_apps_count, 0),
        used.months_in_use_count,
        used.months_judged_count,
        case
            when used.months_judged_count > 0 then 'reported'
            when used.months_unknown_count > 0 or used.project_id is null then 'missing'
            else 'not_applicable'
        end
    from budget
    left join online on budget.project_id = online.project_id and budget.budget_year = online.budget_year
    left join used on budget.project_id = used.project_id and budget.budget_year = used.budget_year
    union all
    select
        budget.project_id,
        budget.budget_year,
        'satisfaction_rate',
        budget.measured_to_on,
        coalesce(online.linked_apps_count, 0),
        answered.rating_steps_count,
        4 * answered.ratings_count,
        case
            when answered.ratings_count > 0 then 'reported'
            when answered.ratings_count = 0 then 'not_applicable'
            -- Listed nowhere all year, or new: nobody could say anything.
            when used.months_judged_count = 0 and used.months_unknown_count = 0 then 'not_applicable'
            else 'missing'
        end
    from budget
    left join online on budget.project_id = online.project_id and budget.budget_year = online.budget_year
    left join used on budget.project_id = used.project_id and budget.budget_year = used.budget_year
    left join answered on budget.project_id = answered.project_id and budget.budget_year = answered.budget_year
)

select
    project_id,
    budget_year,
    rate_id,
    measured_to_on,
    linked_apps_count,
    cast(numerator as bigint) as numerator,
    cast(denominator as bigint) as denominator,
    case when linked_apps_count > 0 and state = 'reported' then {{ rate('numerator', 'denominator') }} end as rate,
    case when linked_apps_count = 0 then 'not_applicable' else state end as state
from measured
