select
    outcome_id,
    run_id,
    step,
    source,
    entity,
    batch_id,
    business_on,
    received_count,
    accepted_count,
    quarantined_count,
    superseded_count,
    verdict,
    message,
    remedy,
    cast(detail as varchar) as detail,
    started_at,
    ended_at
from {{ source('control', 'outcome') }}
