with project as (
    select
        project_id,
        funding_source
    from {{ ref('stg_project_library__project') }}
),

released as (
    select
        project_id,
        sum(released_cny) as released_cny,
        sum(arrived_cny) as arrived_cny,
        min(released_on) filter (where released_cny > 0) as first_released_on,
        min(arrived_on) filter (where arrived_cny > 0) as first_arrived_on,
        count(*) as releases_count
    from {{ ref('stg_finance__budget_release') }}
    group by project_id
),

spent as (
    select
        project_id,
        sum(spent_cny) as spent_cny,
        min(spent_on) filter (where spent_cny > 0) as first_spent_on,
        count(*) as spending_lines_count
    from {{ ref('int_spending_line') }}
    where project_id is not null
    group by project_id
),

spending_record as (
    select min(month) as first_month
    from {{ ref('int_spending_line') }}
),

-- The finance bureau releases and pays public money; what an owner pays out of its own pocket never
-- appears in its workbooks, so its absence there says nothing. A project whose money was released since the
-- spending records begin and that has no line has spent 0; one released before may have spent it before, and
-- one without release may be paid from another budget line.
joined as (
    select
        project.project_id,
        case when project.funding_source = 'self_raised' then 'not_applicable' else 'missing' end as absent_state,
        released.released_cny,
        released.arrived_cny,
        released.first_released_on,
        released.first_arrived_on,
        released.releases_count,
        coalesce(
            spent.spent_cny,
            case when released.first_released_on >= spending_record.first_month then 0 end
        ) as spent_cny,
        spent.first_spent_on,
        spent.spending_lines_count
    from project
    cross join spending_record
    left join released on project.project_id = released.project_id
    left join spent on project.project_id = spent.project_id
)

select
    project_id,
    {{ cny('released_cny') }} as released_cny,
    {{ state_of('released_cny', 'absent_state') }} as released_state,
    {{ cny('arrived_cny') }} as arrived_cny,
    {{ state_of('arrived_cny', 'absent_state') }} as arrived_state,
    {{ cny('spent_cny') }} as spent_cny,
    {{ state_of('spent_cny', 'absent_state') }} as spent_state,
    first_released_on,
    first_arrived_on,
    first_spent_on,
    coalesce(releases_count, 0) as releases_count,
    coalesce(spending_lines_count, 0) as spending_lines_count
from joined
