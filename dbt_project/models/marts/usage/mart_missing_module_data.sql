with listed as (
    select
        app_id,
        portal,
        month,
        listed_days_count,
        reported_days_count
    from {{ ref('mart_portal_usage_month') }}
    where listed_days_count > 0 and portal in ('zheliban', 'zhezhengding')
),

module_day as (
    select
        app_id,
        module_id,
        {{ portal_of('release_end') }} as portal,
        month,
        cast(bit_count(bit_or(reported_days_mask)) as bigint) as days_reported_count
    from {{ ref('int_app_usage_month') }}
    where module_id <> ''
    group by app_id, module_id, {{ portal_of('release_end') }}, month
)

select
    module.app_id,
    module.module_id,
    listed.portal,
    listed.month,
    module.module_name,
    module.module_kind,
    listed.listed_days_count,
    listed.reported_days_count as app_days_reported_count,
    -- Nothing of the app arrived: its collector is broken, not the module's.
    case when listed.reported_days_count = 0 then 'app_without_data' else 'module_without_data' end as gap_kind
from {{ ref('stg_irs__module') }} as module
inner join listed on module.app_id = listed.app_id
left join module_day
    on
        module.app_id = module_day.app_id
        and module.module_id = module_day.module_id
        and listed.portal = module_day.portal
        and listed.month = module_day.month
where module_day.module_id is null
