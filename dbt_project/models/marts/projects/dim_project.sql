with project as (
    select
        project_id,
        project_name,
        family,
        level,
        district_code,
        department_id,
        funding_source,
        ledger_version,
        declared_on,
        planned_accept_on,
        budget_cny,
        is_in_scope as is_in_scope_by_library,
        _is_omitted as is_omitted_by_source
    from {{ ref('stg_project_library__project') }}
),

department as (
    select
        department_id,
        department_name,
        department_kind
    from {{ ref('stg_irs__department') }}
),

current_stage as (
    select
        project_id,
        stage,
        entered_on
    from {{ ref('int_project_stage') }}
    where is_current
),

scoped as (
    select
        project.project_id,
        project.project_name,
        project.family,
        project.level,
        project.district_code,
        project.department_id,
        project.funding_source,
        project.ledger_version,
        project.declared_on,
        project.planned_accept_on,
        project.budget_cny,
        project.is_in_scope_by_library,
        project.is_omitted_by_source,
        department.department_name,
        department.department_kind,
        case
            when department.department_id is null then 'department_unknown'
            when department.department_kind in ('state_owned_enterprise', 'hospital', 'university')
                then 'owner_is_' || department.department_kind
            else 'owner_is_government_department'
        end as scope_reason
    from project
    left join department on project.department_id = department.department_id
)

select
    scoped.project_id,
    scoped.project_name,
    scoped.family,
    scoped.level,
    scoped.district_code,
    scoped.department_id,
    scoped.department_name,
    scoped.department_kind,
    scoped.funding_source,
    scoped.ledger_version,
    coalesce(current_stage.stage, 'missing') as stage,
    current_stage.entered_on as stage_entered_on,
    scoped.declared_on,
    scoped.planned_accept_on,
    {{ cny('scoped.budget_cny') }} as budget_cny,
    {{ state_of('scoped.budget_cny') }} as budget_state,
    case
        when scoped.scope_reason <> 'department_unknown' then scoped.scope_reason = 'owner_is_government_department'
    end as is_in_scope,
    scoped.scope_reason,
    scoped.is_in_scope_by_library,
    scoped.is_omitted_by_source
from scoped
left join current_stage on scoped.project_id = current_stage.project_id
