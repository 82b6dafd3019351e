with link as (
    select
        project_id,
        app_id,
        linked_on,
        _is_omitted as is_omitted_by_source
    from {{ ref('stg_project_library__app_link') }}
)

select
    link.project_id,
    link.app_id,
    project.project_name,
    app.app_name,
    project.project_id is not null as is_project_known,
    app.app_id is not null as is_app_known,
    project.department_id as project_department_id,
    app.department_id as app_department_id,
    project.department_id = app.department_id as is_same_department,
    link.linked_on,
    {{ state_of('link.linked_on') }} as linked_state,
    link.is_omitted_by_source
from link
left join {{ ref('dim_project') }} as project on link.project_id = project.project_id
left join {{ ref('stg_irs__app') }} as app on link.app_id = app.app_id
