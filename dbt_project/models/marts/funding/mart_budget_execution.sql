with release as (
    select
        project_id,
        budget_year,
        -- The yearly budget stands on every release of the year; an adjusted one on the later releases.
        last(budget_cny order by release_number) filter (where budget_cny is not null) as budget_cny,
        count(distinct budget_cny) > 1 as is_budget_adjusted,
        sum(released_cny) as released_cny,
        sum(arrived_cny) as arrived_cny,
        min(released_on) as first_released_on,
        count(*) as releases_count
    from {{ ref('stg_finance__budget_release') }}
    group by project_id, budget_year
),

spent as (
    select
        project_id,
        cast(year(month) as bigint) as budget_year,
        sum(spent_cny) as spent_cny,
        count(*) as spending_lines_count
    from {{ ref('int_spending_line') }}
    where project_id is not null
    group by project_id, year(month)
),

year_of_spending as (
    select distinct cast(year(month) as bigint) as budget_year
    from {{ ref('int_spending_line') }}
),

joined as (
    select
        coalesce(release.project_id, spent.project_id) as project_id,
        coalesce(release.budget_year, spent.budget_year) as budget_year,
        release.project_id is not null as has_budget_row,
        release.budget_cny,
        coalesce(release.is_budget_adjusted, false) as is_budget_adjusted,
        release.released_cny,
        release.arrived_cny,
        release.first_released_on,
        coalesce(release.releases_count, 0) as releases_count,
        spent.spent_cny,
        coalesce(spent.spending_lines_count, 0) as spending_lines_count
    from release
    full join spent on release.project_id = spent.project_id and release.budget_year = spent.budget_year
),

-- A year whose spending workbooks came and hold no line for a budgeted project is a year without spending: 0.
measured as (
    select
        joined.project_id,
        joined.budget_year,
        joined.budget_cny,
        joined.is_budget_adjusted,
        joined.released_cny,
        joined.arrived_cny,
        joined.first_released_on,
        joined.releases_count,
        joined.spending_lines_count,
        coalesce(joined.spent_cny, case when year_of_spending.budget_year is not null then 0 end) as spent_cny
    from joined
    left join year_of_spending on joined.budget_year = year_of_spending.budget_year
),

cycle as (
    select
        measured.project_id,
        measured.budget_year,
        first_month.value as first_month_number,
        last_month.value as last_month_number,
        first_month.rule_version
    from measured
    inner join {{ ref('rule_threshold_projects') }} as first_month
        on {{ rule_in_force('first_month', 'release_window_first_month', 'measured.first_released_on') }}
    inner join {{ ref('rule_threshold_projects') }} as last_month
        on {{ rule_in_force('last_month', 'release_window_last_month', 'measured.first_released_on') }}
)

select
    measured.project_id,
    measured.budget_year,
    project.project_id is not null as is_project_known,
    project.project_name,
    project.level,
    project.department_id,
    project.funding_source,
    {{ cny('measured.budget_cny') }} as budget_cny,
    {{ state_of('measured.budget_cny') }} as budget_state,
    measured.is_budget_adjusted,
    {{ cny('measured.released_cny') }} as released_cny,
    {{ state_of('measured.released_cny') }} as released_state,
    {{ cny('measured.arrived_cny') }} as arrived_cny,
    {{ state_of('measured.arrived_cny') }} as arrived_state,
    {{ cny('measured.spent_cny') }} as spent_cny,
    {{ state_of('measured.spent_cny') }} as spent_state,
    cast(measured.spent_cny as double) / nullif(cast(measured.budget_cny as double), 0) as execution_rate,
    case
        when measured.budget_cny = 0 then 'not_applicable'
        else {{ state_of('measured.spent_cny / nullif(measured.budget_cny, 0)') }}
    end as execution_state,
    measured.spent_cny > measured.budget_cny as is_overspent,
    measured.first_released_on,
    case
        when measured.first_released_on is null then 'not_released'
        when year(measured.first_released_on) < measured.budget_year then 'before_window'
        when year(measured.first_released_on) > measured.budget_year then 'after_window'
        when month(measured.first_released_on) < cycle.first_month_number then 'before_window'
        when month(measured.first_released_on) > cycle.last_month_number then 'after_window'
        when cycle.project_id is not null then 'in_window'
        else 'no_rule'
    end as release_position,
    measured.releases_count,
    measured.spending_lines_count,
    cycle.rule_version
from measured
left join cycle on measured.project_id = cycle.project_id and measured.budget_year = cycle.budget_year
left join {{ ref('dim_project') }} as project on measured.project_id = project.project_id
