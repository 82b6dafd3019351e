select
    expert_review_id,
    project_id,
    expert_id,
    reviewed_on,
    score,
    _is_omitted,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'project_library__expert_review') }}
