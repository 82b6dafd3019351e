with requested as (
    select
        app_id,
        data_resource_id,
        count(*) as requests_count,
        count(*) filter (where approved_at is not null) as approved_requests_count,
        cast(min(applied_at) as date) as first_requested_on
    from {{ ref('stg_irs__sharing_request') }}
    where app_id is not null and data_resource_id is not null
    group by app_id, data_resource_id
),

called as (
    select
        app_id,
        data_resource_id,
        sum(calls_count) as calls_count,
        max(month) filter (where calls_count > 0) as last_called_month
    from {{ ref('int_app_resource_call_month') }}
    where app_id is not null and data_resource_id is not null
    group by app_id, data_resource_id
),

joined as (
    select
        coalesce(requested.app_id, called.app_id) as app_id,
        coalesce(requested.data_resource_id, called.data_resource_id) as data_resource_id,
        coalesce(requested.requests_count, 0) as requests_count,
        coalesce(requested.approved_requests_count, 0) as approved_requests_count,
        requested.first_requested_on,
        called.calls_count,
        called.last_called_month
    from requested
    full join called
        on requested.app_id = called.app_id and requested.data_resource_id = called.data_resource_id
)

select
    joined.app_id,
    joined.data_resource_id,
    resource.resource_name,
    resource.data_resource_id is not null as is_resource_known,
    joined.requests_count,
    joined.approved_requests_count,
    joined.first_requested_on,
    cast(joined.calls_count as bigint) as calls_count,
    -- Data that was only delivered in batches is never called.
    {{ state_of('joined.calls_count', "'not_applicable'") }} as calls_state,
    joined.last_called_month
from joined
left join {{ ref('stg_irs__data_resource') }} as resource on joined.data_resource_id = resource.data_resource_id
