select
    project_id,
    app_id,
    linked_on,
    _is_omitted,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'project_library__app_link') }}
