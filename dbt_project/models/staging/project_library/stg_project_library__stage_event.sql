select
    stage_event_id,
    project_id,
    stage,
    entered_on,
    due_on,
    _is_omitted,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'project_library__stage_event') }}
