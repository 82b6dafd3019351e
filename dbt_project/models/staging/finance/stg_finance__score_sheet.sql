select
    assessor_kind,
    round,
    project_id,
    project_name,
    indicator_name,
    maximum_points,
    points,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'finance__score_sheet') }}
