select
    list_year,
    received_text,
    replied_text,
    finding_number,
    finding_title,
    requirement,
    office,
    first_due_on,
    second_due_on,
    reported_state,
    measure_taken,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'finance__rectification') }}
