with owned as (
    select
        department_id,
        count(*) as apps_count
    from {{ ref('stg_irs__app') }}
    group by department_id
)

select
    department.department_id,
    department.department_name,
    department.department_kind,
    department.level,
    department.district_code,
    department.department_kind in ('municipal_department', 'county_department') as is_government_department,
    coalesce(owned.apps_count, 0) as apps_count
from {{ ref('stg_irs__department') }} as department
left join owned on department.department_id = owned.department_id
