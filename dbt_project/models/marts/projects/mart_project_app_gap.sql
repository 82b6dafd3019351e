with link as (
    select
        project_id,
        app_id,
        is_project_known,
        is_app_known
    from {{ ref('mart_project_app_link') }}
),

app_links as (
    select
        app_id,
        count(*) filter (where is_project_known) as known_count
    from link
    group by app_id
),

project_links as (
    select
        project_id,
        count(*) filter (where is_app_known) as known_count
    from link
    group by project_id
),

app_without_project as (
    select
        'app_without_project' as gap_kind,
        cast(null as varchar) as project_id,
        app.app_id,
        app.department_id,
        app.level,
        case
            when app.is_province_assigned then 'assigned_by_province'
            when app_links.app_id is not null then 'only_linked_to_unknown_project'
            else 'never_linked'
        end as reason
    from {{ ref('stg_irs__app') }} as app
    left join app_links on app.app_id = app_links.app_id
    where coalesce(app_links.known_count, 0) = 0
),

project_without_app as (
    select
        'project_without_app' as gap_kind,
        project.project_id,
        cast(null as varchar) as app_id,
        project.department_id,
        project.level,
        case
            when project_links.project_id is not null then 'only_linked_to_unknown_app'
            when project.family in ('infrastructure', 'operations') then 'family_without_own_app'
            when project.stage in ('declared', 'reviewed') then 'not_yet_implementing'
            else 'never_linked'
        end as reason
    from {{ ref('dim_project') }} as project
    left join project_links on project.project_id = project_links.project_id
    where coalesce(project_links.known_count, 0) = 0
),

link_to_unknown as (
    select
        unnest(
            list_filter(
                [
                    case when not link.is_app_known then 'link_to_unknown_app' end,
                    case when not link.is_project_known then 'link_to_unknown_project' end
                ],
                lambda kind: kind is not null
            )
        ) as gap_kind,
        link.project_id,
        link.app_id,
        coalesce(project.department_id, app.department_id) as department_id,
        coalesce(project.level, app.level) as level
    from link
    left join {{ ref('dim_project') }} as project on link.project_id = project.project_id
    left join {{ ref('stg_irs__app') }} as app on link.app_id = app.app_id
),

gap as (
    select gap_kind, project_id, app_id, department_id, level, reason from app_without_project
    union all
    select gap_kind, project_id, app_id, department_id, level, reason from project_without_app
    union all
    select
        gap_kind,
        project_id,
        app_id,
        department_id,
        level,
        case gap_kind when 'link_to_unknown_app' then 'app_not_on_irs' else 'project_not_in_library' end as reason
    from link_to_unknown
)

select
    concat_ws(':', gap_kind, project_id, app_id) as gap_id,
    gap_kind,
    project_id,
    app_id,
    department_id,
    level,
    reason,
    reason in ('assigned_by_province', 'family_without_own_app', 'not_yet_implementing') as is_expected
from gap
