with project as (
    select
        project.level,
        project.district_code,
        project.department_id,
        project.department_name,
        project.family,
        project.funding_source,
        project.stage,
        project.is_in_scope,
        project.is_omitted_by_source,
        project.budget_cny,
        project.budget_state,
        money.released_cny,
        money.released_state,
        money.spent_cny,
        money.spent_state
    from {{ ref('dim_project') }} as project
    inner join {{ ref('int_project_money') }} as money on project.project_id = money.project_id
)

select
    level,
    district_code,
    department_id,
    any_value(department_name) as department_name,
    family,
    funding_source,
    stage,
    count(*) as projects_count,
    count(*) filter (where is_in_scope) as projects_in_scope_count,
    count(*) filter (where is_omitted_by_source) as projects_omitted_by_source_count,
    {{ cny('sum(budget_cny)') }} as budget_cny,
    {{ state_of_sum('budget_state') }} as budget_state,
    count(budget_cny) as projects_with_budget_count,
    {{ cny('sum(released_cny)') }} as released_cny,
    {{ state_of_sum('released_state') }} as released_state,
    count(released_cny) as projects_with_release_count,
    {{ cny('sum(spent_cny)') }} as spent_cny,
    {{ state_of_sum('spent_state') }} as spent_state,
    count(spent_cny) as projects_with_spending_count
from project
group by level, district_code, department_id, family, funding_source, stage
