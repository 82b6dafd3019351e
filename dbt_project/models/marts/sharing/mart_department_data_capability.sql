with department as (
    select
        department_id,
        department_name,
        department_kind,
        level,
        district_code
    from {{ ref('stg_irs__department') }}
),

request as (
    select
        data_resource_id,
        department_id,
        provider_department_id,
        state,
        apply_to_approve_working_days,
        is_approved_within_target,
        approve_to_open_minutes,
        is_opened_within_target
    from {{ ref('mart_sharing_request') }}
),

requested_resource as (
    select distinct data_resource_id
    from request
),

holding as (
    select
        resource.department_id,
        count(*) as resources_count,
        count(*) filter (where resource.published_on <= clock.as_of_on) as published_resources_count,
        count(*) filter (
            where resource.published_on <= clock.as_of_on and requested_resource.data_resource_id is not null
        ) as requested_resources_count
    from {{ ref('stg_irs__data_resource') }} as resource
    cross join {{ ref('int_as_of') }} as clock
    left join requested_resource on resource.data_resource_id = requested_resource.data_resource_id
    group by resource.department_id
),

provided as (
    select
        provider_department_id as department_id,
        count(*) as provided_requests_count,
        count(*) filter (where state = 'open') as undecided_requests_count,
        median(apply_to_approve_working_days) as median_apply_to_approve_working_days,
        median(approve_to_open_minutes) as median_approve_to_open_minutes,
        count(*) filter (where is_approved_within_target) / nullif(cast(count(is_approved_within_target) as double), 0)
            as approved_within_target_rate,
        count(*) filter (where is_opened_within_target) / nullif(cast(count(is_opened_within_target) as double), 0)
            as opened_within_target_rate
    from request
    where provider_department_id is not null
    group by provider_department_id
),

used as (
    select
        department_id,
        count(*) as used_requests_count
    from request
    group by department_id
),

measured as (
    select
        department.department_id,
        department.department_name,
        department.department_kind,
        department.level,
        department.district_code,
        coalesce(holding.resources_count, 0) as resources_count,
        coalesce(holding.published_resources_count, 0) as published_resources_count,
        holding.published_resources_count / nullif(cast(holding.resources_count as double), 0) as published_rate,
        holding.requested_resources_count / nullif(cast(holding.published_resources_count as double), 0)
            as requested_rate,
        coalesce(provided.provided_requests_count, 0) as provided_requests_count,
        coalesce(provided.undecided_requests_count, 0) as undecided_requests_count,
        coalesce(used.used_requests_count, 0) as used_requests_count,
        provided.median_apply_to_approve_working_days,
        provided.approved_within_target_rate,
        provided.median_approve_to_open_minutes,
        provided.opened_within_target_rate
    from department
    left join holding on department.department_id = holding.department_id
    left join provided on department.department_id = provided.department_id
    left join used on department.department_id = used.department_id
),

part as (
    unpivot (
        select
            department_id,
            published_rate as published,
            requested_rate as requested,
            approved_within_target_rate as approved_in_time,
            opened_within_target_rate as opened_in_time
        from measured
    ) on published, requested, approved_in_time, opened_in_time
    into name part_name value part_rate
),

-- A part that a department cannot have (nobody asked it for anything) is left out of its score, and its
-- points are spread over the others; it is not a 0.
scored as (
    select
        part.department_id,
        sum(part.part_rate * points.value) / nullif(sum(points.value), 0) * 100 as score,
        sum(points.value) as applicable_points,
        any_value(points.rule_version) as rule_version
    from part
    cross join {{ ref('int_as_of') }} as clock
    inner join {{ ref('rule_threshold_projects') }} as points
        on {{ rule_in_force('points', 'data_capability_points', 'clock.as_of_on', 'part.part_name') }}
    group by part.department_id
),

minimum as (
    select rule.value as applicable_points
    from {{ ref('int_as_of') }} as clock
    inner join {{ ref('rule_threshold_projects') }} as rule
        on {{ rule_in_force('rule', 'data_capability_minimum_points', 'clock.as_of_on') }}
)

select
    measured.department_id,
    measured.department_name,
    measured.department_kind,
    measured.level,
    measured.district_code,
    measured.resources_count,
    measured.published_resources_count,
    measured.published_rate,
    case when measured.resources_count = 0 then 'not_applicable' else 'reported' end as published_state,
    measured.requested_rate,
    case when measured.published_resources_count = 0 then 'not_applicable' else 'reported' end as requested_state,
    measured.provided_requests_count,
    measured.undecided_requests_count,
    measured.used_requests_count,
    measured.median_apply_to_approve_working_days,
    measured.approved_within_target_rate,
    measured.median_approve_to_open_minutes,
    measured.opened_within_target_rate,
    case when measured.provided_requests_count = 0 then 'not_applicable' else 'reported' end as provided_state,
    coalesce(scored.applicable_points, 0) as applicable_points,
    case when scored.applicable_points >= minimum.applicable_points then scored.score end as capability_score,
    case
        when scored.applicable_points >= minimum.applicable_points then 'reported'
        when measured.resources_count = 0 then 'not_applicable'
        else 'missing'
    end as capability_state,
    scored.rule_version
from measured
left join minimum on true
left join scored on measured.department_id = scored.department_id
