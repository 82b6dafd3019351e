with event as (
    select
        app_id,
        release_end,
        event_kind,
        event_on,
        has_passed_review,
        reason,
        listing_event_id,
        lag(event_kind) over through_time as kind_before
    from {{ ref('stg_irs__listing_event') }}
    window through_time as (partition by app_id, release_end order by event_on, listing_event_id)
),

-- Listed while listed, or delisted while not, changes nothing.
change as (
    select
        app_id,
        release_end,
        event_kind,
        event_on,
        has_passed_review,
        reason,
        listing_event_id
    from event
    where event_kind <> coalesce(kind_before, 'delisted')
),

paired as (
    select
        app_id,
        release_end,
        event_kind,
        event_on as listed_on,
        has_passed_review,
        lead(event_on) over through_time as delisted_on,
        lead(reason) over through_time as delisting_reason,
        listing_event_id
    from change
    window through_time as (partition by app_id, release_end order by event_on, listing_event_id)
)

select
    app_id,
    release_end,
    {{ portal_of('release_end') }} as portal,
    listing_event_id,
    listed_on,
    delisted_on,
    has_passed_review,
    delisting_reason
from paired
where event_kind = 'listed'
