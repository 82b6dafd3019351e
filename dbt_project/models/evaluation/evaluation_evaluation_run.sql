select
    run_id,
    round_id,
    period,
    state,
    version,
    rule_version,
    rules_hash,
    content_hash,
    created_at,
    created_by,
    case when state in ('confirmed', 'superseded') then decided_at end as confirmed_at,
    case when state in ('confirmed', 'superseded') then decided_by end as confirmed_by,
    case when state = 'rejected' then decided_at end as rejected_at,
    case when state = 'rejected' then decided_by end as rejected_by,
    reason,
    supersedes,
    run_sha256
from {{ source('control', 'evaluation_run') }}
