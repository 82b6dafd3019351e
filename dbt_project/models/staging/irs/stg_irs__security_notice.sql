select
    security_notice_id,
    app_id,
    noticed_on,
    notice_kind,
    due_on,
    mended_on,
    reported_by,
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__security_notice') }}
