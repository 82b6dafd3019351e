with called as (
    select
        data_resource_id,
        month,
        calls_count,
        failed_calls_count,
        calling_apps_count
    from {{ ref('int_resource_call_month') }}
),

-- A month in which IRS reported calls of at least one resource was observed: in it, a resource without a
-- row was not called. In a month without any row nobody knows.
observed_month as (
    select distinct month
    from called
),

covered as (
    select
        min(observed_month.month) as first_month,
        any_value(clock.as_of_on) as as_of_on
    from observed_month
    cross join {{ ref('int_as_of') }} as clock
),

calendar_month as (
    select distinct calendar.month
    from {{ ref('dim_calendar') }} as calendar
    cross join covered
    where calendar.month between covered.first_month and covered.as_of_on
),

resource as (
    select
        coalesce(registered.data_resource_id, called.data_resource_id) as data_resource_id,
        registered.data_resource_id is not null as is_resource_known,
        registered.resource_name,
        registered.department_id,
        registered.sharing_kind,
        registered.published_on
    from {{ ref('stg_irs__data_resource') }} as registered
    full join (select distinct data_resource_id from called) as called
        on registered.data_resource_id = called.data_resource_id
),

first_request as (
    select
        data_resource_id,
        app_id,
        min(month) as month
    from {{ ref('mart_sharing_request') }}
    where app_id is not null
    group by data_resource_id, app_id
),

new_requester as (
    select
        data_resource_id,
        -- Apps that had asked before the first month observed count from that month on.
        greatest(first_request.month, covered.first_month) as month,
        count(*) as apps_count
    from first_request
    cross join covered
    group by first_request.data_resource_id, greatest(first_request.month, covered.first_month)
),

joined as (
    select
        resource.data_resource_id,
        calendar_month.month,
        resource.is_resource_known,
        resource.resource_name,
        resource.department_id,
        resource.sharing_kind,
        coalesce(resource.published_on <= last_day(calendar_month.month), false) as is_published,
        observed_month.month is not null as is_observed,
        called.calls_count,
        called.failed_calls_count,
        called.calling_apps_count,
        sum(coalesce(new_requester.apps_count, 0)) over (
            partition by resource.data_resource_id order by calendar_month.month
            rows between unbounded preceding and current row
        ) as requesting_apps_count
    from resource
    cross join calendar_month
    left join observed_month on calendar_month.month = observed_month.month
    left join called
        on resource.data_resource_id = called.data_resource_id and calendar_month.month = called.month
    left join new_requester
        on resource.data_resource_id = new_requester.data_resource_id and calendar_month.month = new_requester.month
),

judged as (
    select
        data_resource_id,
        month,
        is_resource_known,
        resource_name,
        department_id,
        sharing_kind,
        is_published,
        calls_count,
        failed_calls_count,
        calling_apps_count,
        requesting_apps_count,
        case
            when calls_count is not null then 'reported'
            when not is_published then 'not_applicable'
            when is_observed then 'reported'
            else 'missing'
        end as calls_state
    from joined
)

select
    data_resource_id,
    month,
    is_resource_known,
    resource_name,
    department_id,
    sharing_kind,
    is_published,
    cast(case when calls_state = 'reported' then coalesce(calls_count, 0) end as bigint) as calls_count,
    cast(case when calls_state = 'reported' then coalesce(failed_calls_count, 0) end as bigint) as failed_calls_count,
    calls_state,
    failed_calls_count / nullif(cast(calls_count as double), 0) as failed_rate,
    case
        when calls_state = 'reported' and coalesce(calls_count, 0) = 0 then 'not_applicable'
        else calls_state
    end as failed_rate_state,
    cast(case when calls_state = 'reported' then coalesce(calling_apps_count, 0) end as bigint) as calling_apps_count,
    cast(requesting_apps_count as bigint) as requesting_apps_count
from judged
