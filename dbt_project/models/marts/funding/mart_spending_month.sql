select
    department_name,
    any_value(department_id) as department_id,
    {{ state_of('any_value(department_id)') }} as department_state,
    project_id,
    project_match,
    month,
    count(*) as spending_lines_count,
    {{ cny('sum(spent_cny)') }} as spent_cny,
    {{ cny('coalesce(sum(spent_cny) filter (where spent_cny < 0), 0)') }} as returned_cny,
    count(*) filter (where {{ month_of('spent_on') }} <> month) as lines_outside_month_count
from {{ ref('int_spending_line') }}
group by department_name, project_id, project_match, month
