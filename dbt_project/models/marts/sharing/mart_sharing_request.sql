with request as (
    select
        sharing_request_id,
        app_id,
        department_id,
        data_resource_id,
        request_kind,
        applied_at,
        approved_at,
        opened_at,
        rejected_at,
        cast(applied_at as date) as applied_on,
        case
            when opened_at is not null then 'opened'
            when approved_at is not null then 'approved'
            when rejected_at is not null then 'rejected'
            else 'open'
        end as state
    from {{ ref('stg_irs__sharing_request') }}
),

resource as (
    select
        data_resource_id,
        resource_name,
        department_id as provider_department_id,
        sharing_kind,
        published_on
    from {{ ref('stg_irs__data_resource') }}
),

-- A conditional resource that was not yet published when it was asked for has a limit of its own.
described as (
    select
        request.sharing_request_id,
        request.app_id,
        request.department_id,
        request.data_resource_id,
        request.request_kind,
        request.applied_at,
        request.applied_on,
        request.approved_at,
        request.opened_at,
        request.rejected_at,
        request.state,
        resource.resource_name,
        resource.provider_department_id,
        resource.sharing_kind,
        resource.data_resource_id is not null as is_resource_known,
        case
            when
                resource.sharing_kind = 'conditional'
                and coalesce(resource.published_on > request.applied_on, true) then 'conditional_unpublished'
            else resource.sharing_kind
        end as target_kind,
        clock.as_of_on,
        clock.as_of_on + interval 1 day as as_of_at
    from request
    cross join {{ ref('int_as_of') }} as clock
    left join resource on request.data_resource_id = resource.data_resource_id
),

timed as (
    select
        described.sharing_request_id,
        {{ working_days_between('applied_day', 'approved_day') }} as apply_to_approve_working_days,
        {{ working_days_between('applied_day', 'rejected_day') }} as apply_to_reject_working_days,
        case
            when described.state = 'open'
                then {{ working_days_between('applied_day', 'as_of_day') }}
        end as open_working_days,
        date_diff('second', described.approved_at, described.opened_at) / 60.0 as approve_to_open_minutes,
        case
            when described.state = 'approved'
                then date_diff('second', described.approved_at, described.as_of_at) / 60.0
        end as unopened_minutes,
        cast(approve_rule.value as bigint) as approve_target_working_days,
        open_rule.value as open_target_minutes,
        approve_rule.rule_version
    from described
    {{ join_calendar('applied_day', 'described.applied_at') }}
    {{ join_calendar('approved_day', 'described.approved_at') }}
    {{ join_calendar('rejected_day', 'described.rejected_at') }}
    {{ join_calendar('as_of_day', 'described.as_of_on') }}
    left join {{ ref('rule_threshold_projects') }} as approve_rule
        on {{ rule_in_force(
            'approve_rule', 'approve_target_working_days', 'described.applied_at', 'described.target_kind'
        ) }}
    left join {{ ref('rule_threshold_projects') }} as open_rule
        on {{ rule_in_force('open_rule', 'open_target_minutes', 'described.applied_at') }}
)

select
    described.sharing_request_id,
    {{ month_of('described.applied_at') }} as month,
    described.app_id,
    described.department_id,
    described.data_resource_id,
    described.resource_name,
    described.provider_department_id,
    described.sharing_kind,
    described.is_resource_known,
    described.request_kind,
    described.applied_at,
    described.approved_at,
    described.opened_at,
    described.rejected_at,
    described.state,
    timed.apply_to_approve_working_days,
    case
        when described.state = 'rejected' then 'not_applicable'
        when described.state = 'open' then 'not_applicable'
        else {{ state_of('timed.apply_to_approve_working_days') }}
    end as apply_to_approve_state,
    timed.approve_target_working_days,
    -- A request that is still open can already be late; it cannot yet be in time.
    case
        when described.state = 'rejected' then null
        when described.state = 'open' and timed.open_working_days > timed.approve_target_working_days then false
        else timed.apply_to_approve_working_days <= timed.approve_target_working_days
    end as is_approved_within_target,
    timed.apply_to_reject_working_days,
    case when timed.open_working_days < 0 then 0 else timed.open_working_days end as open_working_days,
    timed.approve_to_open_minutes,
    case
        when described.state in ('open', 'rejected', 'approved') then 'not_applicable'
        else {{ state_of('timed.approve_to_open_minutes') }}
    end as approve_to_open_state,
    timed.open_target_minutes,
    case
        when described.state = 'approved' and timed.unopened_minutes > timed.open_target_minutes then false
        else timed.approve_to_open_minutes <= timed.open_target_minutes
    end as is_opened_within_target,
    case when timed.unopened_minutes < 0 then 0 else timed.unopened_minutes end as unopened_minutes,
    described.as_of_on,
    timed.rule_version
from described
inner join timed on described.sharing_request_id = timed.sharing_request_id
