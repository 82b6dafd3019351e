select
    component.component_id,
    component.component_name,
    component.department_id,
    component.listed_on,
    {{ state_of('component.listed_on', "'not_applicable'") }} as listed_state,
    coalesce(component.listed_on <= clock.as_of_on, false) as is_listed,
    component.reusing_app_count as reusing_apps_count,
    case
        when component.reusing_app_count is not null then 'reported'
        when component.listed_on is null then 'not_applicable'
        else 'missing'
    end as reusing_apps_state
from {{ ref('stg_irs__component') }} as component
cross join {{ ref('int_as_of') }} as clock
