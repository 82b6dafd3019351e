with line as (
    select
        voucher_number,
        cast(strptime(month, '%Y%m') as date) as month,
        trim(department_name) as department_name,
        spent_on,
        budget_line,
        nullif(trim(project_id), '') as project_id,
        summary,
        spent_cny
    from {{ ref('stg_finance__spending') }}
)

select
    line.voucher_number,
    line.month,
    line.department_name,
    department.department_id,
    case
        when department.department_id is not null then 'known'
        when department.department_name is not null then 'ambiguous'
        else 'unknown'
    end as department_match,
    line.spent_on,
    line.budget_line,
    line.project_id,
    case
        when project.project_id is not null then 'known_project'
        when line.project_id is not null then 'unknown_project'
        else 'no_project'
    end as project_match,
    line.summary,
    {{ cny('line.spent_cny') }} as spent_cny
from line
left join {{ ref('int_department_name') }} as department on line.department_name = department.department_name
left join {{ ref('dim_project') }} as project on line.project_id = project.project_id
