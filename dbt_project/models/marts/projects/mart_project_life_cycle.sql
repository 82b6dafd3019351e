with stage as (
    select
        unnest(['declared', 'reviewed', 'implementing', 'accepted', 'operating']) as stage,
        unnest([1, 2, 3, 4, 5]) as stage_number
),

reached as (
    select
        project_id,
        max(stage_number) as furthest_stage_number
    from {{ ref('int_project_stage') }}
    group by project_id
),

last_review as (
    select
        project_id,
        last(outcome order by reviewed_on, pre_review_id) as outcome
    from {{ ref('stg_project_library__pre_review') }}
    group by project_id
),

-- Every project has a row for every stage, so that what did not happen can be told from what was not recorded.
expected as (
    select
        project.project_id,
        project.level,
        project.district_code,
        project.department_id,
        stage.stage,
        stage.stage_number,
        reached.furthest_stage_number,
        -- The plan says when acceptance is due also while the library has no record of that stage.
        case when stage.stage = 'accepted' then project.planned_accept_on end as planned_on,
        coalesce(last_review.outcome = 'rejected' and coalesce(reached.furthest_stage_number, 0) <= 2, false)
            as is_turned_down
    from {{ ref('dim_project') }} as project
    cross join stage
    left join reached on project.project_id = reached.project_id
    left join last_review on project.project_id = last_review.project_id
),

observed as (
    select
        expected.project_id,
        expected.level,
        expected.district_code,
        expected.department_id,
        expected.stage,
        expected.stage_number,
        expected.is_turned_down,
        entered.entered_on,
        entered.left_on,
        coalesce(entered.due_on, expected.planned_on) as due_on,
        entered.events_count,
        entered.is_omitted_by_source,
        clock.as_of_on,
        case
            when entered.entered_on is not null and entered.left_on is not null then 'completed'
            when entered.entered_on is not null then 'current'
            when expected.stage_number < expected.furthest_stage_number then 'not_recorded'
            when expected.furthest_stage_number is null and expected.stage_number = 1 then 'not_recorded'
            else 'not_reached'
        end as state,
        coalesce(entered.left_on < entered.entered_on, false) as is_out_of_order
    from expected
    cross join {{ ref('int_as_of') }} as clock
    left join {{ ref('int_project_stage') }} as entered
        on expected.project_id = entered.project_id and expected.stage = entered.stage
),

measured as (
    select
        project_id,
        level,
        district_code,
        department_id,
        stage,
        stage_number,
        state,
        entered_on,
        left_on,
        due_on,
        is_turned_down,
        is_out_of_order,
        events_count,
        is_omitted_by_source,
        case
            when state in ('completed', 'current') and not is_out_of_order
                then date_diff('day', entered_on, coalesce(left_on, as_of_on))
        end as days_in_stage,
        case
            when entered_on is not null then date_diff('day', due_on, entered_on)
            when state = 'not_reached' and not is_turned_down then date_diff('day', due_on, as_of_on)
        end as days_after_due
    from observed
)

select
    project_id,
    stage,
    stage_number,
    level,
    district_code,
    department_id,
    state,
    entered_on,
    left_on,
    days_in_stage,
    case
        when state = 'not_reached' then 'not_applicable'
        else {{ state_of('days_in_stage') }}
    end as days_state,
    due_on,
    days_after_due > 0 as is_overdue,
    case when days_after_due < 0 then 0 else days_after_due end as overdue_days,
    case
        when days_after_due is not null then 'reported'
        when state = 'not_reached' then 'not_applicable'
        -- A life cycle begins with the declaration: nothing says when it has to begin.
        when stage = 'declared' and due_on is null and entered_on is not null then 'not_applicable'
        else 'missing'
    end as overdue_state,
    is_turned_down,
    is_out_of_order,
    coalesce(events_count, 0) as events_count,
    coalesce(is_omitted_by_source, false) as is_omitted_by_source
from measured
