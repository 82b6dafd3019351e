{{ config(
    materialized='incremental', incremental_strategy='append', pre_hook="{{ delete_changed_call_months() }}"
) }}

with call as (
    select
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

called as (
    select
        app_id,
        month,
        sum(calls_count) as calls_count,
        sum(failed_calls_count) as failed_calls_count
    from call
    group by app_id, month
)

select
    called.app_id,
    called.month,
    cast(called.calls_count as bigint) as calls_count,
    cast(called.failed_calls_count as bigint) as failed_calls_count,
    fingerprinted.fingerprint
from called
inner join fingerprinted on called.month = fingerprinted.month
