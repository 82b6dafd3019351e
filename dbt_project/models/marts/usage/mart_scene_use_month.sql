with scene as (
    select
        unit.future_unit_id,
        unit.unit_name,
        unit.unit_kind,
        unit.district_code,
        module.app_id,
        module.module_id as scene_id,
        module.module_name as scene_name
    from {{ ref('stg_irs__future_unit') }} as unit
    inner join {{ ref('stg_irs__module') }} as module
        on unit.app_id = module.app_id and module.module_kind = 'scene'
),

-- A scene is expected in every month in which its app was listed on zheliban.
listed as (
    select
        app_id,
        month,
        listed_days_count
    from {{ ref('mart_portal_usage_month') }}
    where portal = 'zheliban' and (listed_days_count > 0 or reported_days_count > 0)
),

used as (
    select
        module_id,
        month,
        cast(sum(impressions_count) as bigint) as impressions_count,
        cast(sum(clicks_count) as bigint) as clicks_count,
        cast(sum(visitors_count) as bigint) as visitors_count,
        cast(bit_count(bit_or(reported_days_mask)) as bigint) as days_reported_count
    from {{ ref('int_app_usage_month') }}
    where module_id <> '' and {{ portal_of('release_end') }} = 'zheliban'
    group by module_id, month
)

select
    scene.future_unit_id,
    scene.scene_id,
    listed.month,
    scene.app_id,
    scene.unit_name,
    scene.unit_kind,
    scene.district_code,
    scene.scene_name,
    used.impressions_count,
    {{ state_of('used.impressions_count') }} as impressions_state,
    used.clicks_count,
    {{ state_of('used.clicks_count') }} as clicks_state,
    {{ rate('used.clicks_count', 'used.impressions_count') }} as click_through_rate,
    {{ state_of_rate('used.clicks_count', 'used.impressions_count') }} as click_through_state,
    used.visitors_count,
    {{ state_of('used.visitors_count') }} as visitors_state,
    listed.listed_days_count,
    coalesce(used.days_reported_count, 0) as days_reported_count
from scene
inner join listed on scene.app_id = listed.app_id
left join used on scene.scene_id = used.module_id and listed.month = used.month
