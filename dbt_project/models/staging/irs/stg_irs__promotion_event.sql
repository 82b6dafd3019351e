select
    promotion_event_id,
    event_name,
    held_on,
    viewers_count,
    app_ids,
    updated_at,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'irs__promotion_event') }}
