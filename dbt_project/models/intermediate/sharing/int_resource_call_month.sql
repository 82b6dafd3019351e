{{ config(
    materialized='incremental', incremental_strategy='append', pre_hook="{{ delete_changed_call_months() }}"
) }}

with call as (
    select
        data_resource_id,
        app_id,
        {{ month_of('call_on') }} as month,
        calls_count,
        failed_calls_count,
        updated_at
    from {{ ref('stg_irs__interface_call') }}
    where {{ is_in_months('call_on', changed_call_months() if is_incremental() else none) }}
),

fingerprinted as (
    select
        month,
        {{ call_fingerprint() }} as fingerprint
    from call
    group by month
),

call_by_app as (
    select
        data_resource_id,
        month,
        app_id,
        sum(calls_count) as calls_count,
        sum(failed_calls_count) as failed_calls_count
    from call
    group by data_resource_id, month, app_id
),

called as (
    select
        data_resource_id,
        month,
        sum(calls_count) as calls_count,
        sum(failed_calls_count) as failed_calls_count,
        count(*) filter (where calls_count > 0) as calling_apps_count
    from call_by_app
    group by data_resource_id, month
)

select
    called.data_resource_id,
    called.month,
    cast(called.calls_count as bigint) as calls_count,
    cast(called.failed_calls_count as bigint) as failed_calls_count,
    called.calling_apps_count,
    fingerprinted.fingerprint
from called
inner join fingerprinted on called.month = fingerprinted.month
