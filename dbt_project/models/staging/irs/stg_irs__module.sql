select
    module_id,
    app_id,
    module_name,
    module_kind,
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__module') }}
