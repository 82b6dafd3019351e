select
    data_resource_id,
    resource_name,
    department_id,
    sharing_kind,
    published_on,
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__data_resource') }}
