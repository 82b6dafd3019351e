select
    component_id,
    component_name,
    department_id,
    listed_on,
    reusing_app_count,
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__component') }}
