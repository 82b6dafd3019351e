with event as (
    select
        event.stage_event_id,
        event.project_id,
        event.stage,
        {{ stage_number('event.stage') }} as stage_number,
        event.entered_on,
        event.due_on,
        event._is_omitted as is_omitted
    from {{ ref('stg_project_library__stage_event') }} as event
    cross join {{ ref('int_as_of') }} as clock
    where event.entered_on <= clock.as_of_on
),

entered as (
    select
        project_id,
        stage,
        stage_number,
        min(entered_on) as entered_on,
        max(entered_on) as last_entered_on,
        -- A stage may be postponed by a further record: the newest due date that was given holds.
        last(due_on order by entered_on, stage_event_id) filter (where due_on is not null) as due_on,
        count(*) as events_count,
        bool_and(is_omitted) as is_omitted_by_source
    from event
    group by project_id, stage, stage_number
)

select
    project_id,
    stage,
    stage_number,
    entered_on,
    min(entered_on) over later_stages as left_on,
    due_on,
    events_count,
    row_number() over (partition by project_id order by last_entered_on desc, stage_number desc) = 1 as is_current,
    max(stage_number) over (partition by project_id) as furthest_stage_number,
    is_omitted_by_source
from entered
window later_stages as (
    partition by project_id order by stage_number rows between 1 following and unbounded following
)
