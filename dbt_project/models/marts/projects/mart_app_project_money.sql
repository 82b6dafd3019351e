with link as (
    select
        project_id,
        app_id,
        linked_on,
        count(*) over (partition by project_id) as linked_apps_count
    from {{ ref('mart_project_app_link') }}
    where is_project_known
)

select
    link.app_id,
    link.project_id,
    link.linked_on,
    {{ state_of('link.linked_on') }} as linked_state,
    project.budget_cny,
    {{ state_of('project.budget_cny') }} as budget_state,
    link.linked_apps_count,
    {{ cny('project.budget_cny / link.linked_apps_count') }} as share_cny,
    {{ state_of('project.budget_cny') }} as share_state
from link
inner join {{ ref('dim_project') }} as project on link.project_id = project.project_id
