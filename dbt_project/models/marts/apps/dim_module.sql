with used as (
    select
        app_id,
        module_id,
        min(month) as first_used_month,
        max(month) as last_used_month
    from {{ ref('int_app_usage_month') }}
    where module_id <> ''
    group by app_id, module_id
)

select
    coalesce(module.module_id, used.module_id) as module_id,
    coalesce(module.app_id, used.app_id) as app_id,
    module.module_name,
    coalesce(module.module_kind, 'unknown') as module_kind,
    module.module_id is not null as is_registered,
    used.first_used_month,
    used.last_used_month,
    {{ state_of('used.first_used_month') }} as usage_state
from {{ ref('stg_irs__module') }} as module
full join used on module.module_id = used.module_id and module.app_id = used.app_id
