select
    app_id,
    month,
    calls_count,
    failed_calls_count,
    {{ rate('failed_calls_count', 'calls_count') }} as failed_rate,
    {{ state_of_rate('failed_calls_count', 'calls_count') }} as failed_rate_state
from {{ ref('int_app_call_month') }}
