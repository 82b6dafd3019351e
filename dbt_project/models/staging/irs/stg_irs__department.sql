select
    department_id,
    department_name,
    department_kind,
    level,
    district_code,
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__department') }}
