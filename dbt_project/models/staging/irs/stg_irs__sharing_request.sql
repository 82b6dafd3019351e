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
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__sharing_request') }}
