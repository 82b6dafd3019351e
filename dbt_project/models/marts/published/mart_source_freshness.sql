select
    state.source,
    state.entity,
    state.newest_business_on,
    clock.as_of_on,
    -- A source that is ahead of the others is not stale.
    greatest(clock.as_of_on - state.newest_business_on, 0) as age_days,
    cast(state.max_age_hours as double) as max_age_hours,
    {{ state_of('state.max_age_hours', "'not_applicable'") }} as max_age_state,
    case
        when state.max_age_hours is not null
            then greatest(clock.as_of_on - state.newest_business_on, 0) * 24 > state.max_age_hours
    end as is_stale,
    state.newest_batch_id,
    state.batches_count,
    state.rows_count
from {{ source('control', 'source_state') }} as state
cross join {{ ref('int_as_of') }} as clock
