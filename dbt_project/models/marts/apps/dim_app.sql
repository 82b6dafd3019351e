with seen as (
    select
        app_id,
        min(month) as first_used_month,
        max(month) as last_used_month
    from {{ ref('int_app_usage_month') }}
    group by app_id
    union all
    select
        app_id,
        min({{ month_of('period_end_on') }}),
        max({{ month_of('period_end_on') }})
    from {{ ref('mart_app_usage_period') }}
    group by app_id
),

used as (
    select
        app_id,
        min(first_used_month) as first_used_month,
        max(last_used_month) as last_used_month
    from seen
    group by app_id
),

name_of_source as (
    select
        app_id,
        any_value(app_name order by period_end_on desc, source) as app_name
    from {{ ref('mart_app_usage_period') }}
    where app_name is not null
    group by app_id
),

-- The own APP does not count as being in service on a portal.
listing as (
    select
        app_id,
        min(listed_on) as first_listed_on,
        max(delisted_on) as last_delisted_on,
        bool_or(is_listed) as is_listed,
        count(*) filter (where is_listed) as listed_ends_count,
        any_value(has_passed_review order by listed_on, release_end) as has_passed_review
    from {{ ref('mart_app_listing_history') }}
    where portal <> 'standalone_app'
    group by app_id
)

select
    coalesce(app.app_id, used.app_id) as app_id,
    coalesce(app.app_name, name_of_source.app_name) as app_name,
    app.app_id is not null as is_registered,
    app.side,
    app.family,
    app.level,
    app.district_code,
    app.department_id,
    department.department_name,
    department.department_kind,
    app.registered_on,
    app.is_key_app,
    app.is_province_assigned,
    app.has_standalone_app,
    app.is_seasonal,
    app.description,
    case
        when app.app_id is null then 'unregistered'
        when listing.first_listed_on is null or listing.first_listed_on > clock.as_of_on then 'never_listed'
        when listing.is_listed then 'listed'
        else 'delisted'
    end as listing_state,
    coalesce(listing.is_listed, false) as is_listed,
    coalesce(listing.listed_ends_count, 0) as listed_ends_count,
    listing.first_listed_on,
    case when not listing.is_listed then listing.last_delisted_on end as delisted_on,
    listing.has_passed_review as has_passed_listing_review,
    case
        when listing.first_listed_on <= clock.as_of_on
            then date_sub('month', listing.first_listed_on, clock.as_of_on + 1)
    end as months_in_service,
    {{ state_of('listing.first_listed_on', "'not_applicable'") }} as months_in_service_state,
    used.first_used_month,
    used.last_used_month,
    {{ state_of('used.first_used_month') }} as usage_state
from {{ ref('stg_irs__app') }} as app
full join used on app.app_id = used.app_id
left join name_of_source on coalesce(app.app_id, used.app_id) = name_of_source.app_id
left join listing on app.app_id = listing.app_id
left join {{ ref('stg_irs__department') }} as department on app.department_id = department.department_id
cross join {{ ref('int_as_of') }} as clock
