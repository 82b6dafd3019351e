with finding as (
    select
        list_year,
        finding_number,
        finding_title,
        requirement,
        office,
        first_due_on,
        second_due_on,
        reported_state,
        measure_taken,
        received_text,
        replied_text,
        {{ chinese_date('received_text') }} as received_on,
        {{ chinese_date('replied_text') }} as replied_on
    from {{ ref('stg_finance__rectification') }}
)

select
    finding.list_year,
    finding.finding_number,
    finding.finding_title,
    finding.requirement,
    finding.office,
    finding.received_on,
    {{ state_of('finding.received_on') }} as received_state,
    finding.first_due_on,
    finding.second_due_on,
    finding.replied_on,
    {{ state_of('finding.replied_on') }} as replied_state,
    coalesce(finding.replied_on <= clock.as_of_on, false) as is_replied,
    finding.reported_state,
    case
        when finding.reported_state = 'done' then 'reported_done'
        when clock.as_of_on > finding.second_due_on then 'overdue'
        -- The first node asks for work to have begun, the second for it to be finished.
        when clock.as_of_on > finding.first_due_on and finding.reported_state = 'not_started' then 'overdue'
        else finding.reported_state
    end as state,
    case
        when finding.reported_state = 'done' then 0
        when finding.reported_state = 'not_started'
            then greatest(date_diff('day', finding.first_due_on, clock.as_of_on), 0)
        else greatest(date_diff('day', finding.second_due_on, clock.as_of_on), 0)
    end as overdue_days,
    date_diff('day', finding.received_on, finding.replied_on) as received_to_replied_days,
    finding.measure_taken,
    clock.as_of_on
from finding
cross join {{ ref('int_as_of') }} as clock
