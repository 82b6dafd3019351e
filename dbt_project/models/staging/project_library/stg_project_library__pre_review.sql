select
    pre_review_id,
    project_id,
    reviewed_on,
    outcome,
    requested_cny,
    approved_cny,
    _is_omitted,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'project_library__pre_review') }}
