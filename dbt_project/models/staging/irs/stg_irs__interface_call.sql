select
    call_on,
    data_resource_id,
    app_id,
    calls_count,
    failed_calls_count,
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__interface_call') }}
