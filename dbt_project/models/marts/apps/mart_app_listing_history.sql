select
    interval_row.app_id,
    interval_row.release_end,
    interval_row.listed_on,
    interval_row.delisted_on,
    {{ state_of('interval_row.delisted_on', "'not_applicable'") }} as delisted_state,
    interval_row.portal,
    interval_row.listing_event_id,
    row_number() over through_time as listing_number,
    interval_row.listed_on <= clock.as_of_on
    and coalesce(interval_row.delisted_on, date '9999-12-31') > clock.as_of_on as is_listed,
    coalesce(interval_row.delisted_on, clock.as_of_on + 1) - interval_row.listed_on as listed_days_count,
    interval_row.has_passed_review,
    {{ state_of('interval_row.has_passed_review') }} as review_state,
    interval_row.delisting_reason
from {{ ref('int_listing_interval') }} as interval_row
cross join {{ ref('int_as_of') }} as clock
window through_time as (
    partition by
        interval_row.app_id, interval_row.release_end order by interval_row.listed_on,
    interval_row.listing_event_id
)
