select
    future_unit_id,
    unit_name,
    unit_kind,
    district_code,
    app_id,
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__future_unit') }}
