select
    ledger_level,
    ledger_version,
    published_text,
    entry_number,
    track_name,
    app_name,
    app_id,
    department_name,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'finance__ledger_entry') }}
