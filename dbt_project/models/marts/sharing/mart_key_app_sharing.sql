with key_app as (
    select
        app_id,
        app_name,
        side,
        level,
        department_id,
        no_sharing_reason
    from {{ ref('stg_irs__app') }}
    where is_key_app
),

request as (
    select
        app_id,
        count(*) as requests_count,
        count(*) filter (where state in ('approved', 'opened')) as approved_requests_count,
        cast(min(applied_at) as date) as first_requested_on
    from {{ ref('mart_sharing_request') }}
    where app_id is not null
    group by app_id
)

select
    key_app.app_id,
    key_app.app_name,
    key_app.side,
    key_app.level,
    key_app.department_id,
    request.app_id is not null as has_requested,
    request.first_requested_on,
    coalesce(request.requests_count, 0) as requests_count,
    coalesce(request.approved_requests_count, 0) as approved_requests_count,
    key_app.no_sharing_reason,
    case
        when key_app.no_sharing_reason is not null then 'reported'
        when request.app_id is not null then 'not_applicable'
        else 'missing'
    end as reason_state
from key_app
left join request on key_app.app_id = request.app_id
