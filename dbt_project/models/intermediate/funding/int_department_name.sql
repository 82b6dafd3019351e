-- A name that two departments share (two counties' 财政局, say) identifies neither.
select
    department_name,
    case when count(*) = 1 then any_value(department_id) end as department_id,
    count(*) as departments_count
from {{ ref('stg_irs__department') }}
group by department_name
