select
    listing_event_id,
    app_id,
    release_end,
    event_kind,
    event_on,
    has_passed_review,
    reason,
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__listing_event') }}
