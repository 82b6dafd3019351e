with listed as (
    select distinct interval_row.app_id
    from {{ ref('int_listing_interval') }} as interval_row
    cross join {{ ref('int_as_of') }} as clock
    where
        interval_row.portal = 'zheliban'
        and interval_row.listed_on <= clock.as_of_on
        and coalesce(interval_row.delisted_on, date '9999-12-31') > clock.as_of_on
),

scene as (
    select
        app_id,
        count(*) as scenes_count
    from {{ ref('stg_irs__module') }}
    where module_kind = 'scene'
    group by app_id
)

select
    unit.future_unit_id,
    unit.unit_name,
    unit.unit_kind,
    unit.district_code,
    unit.app_id,
    {{ state_of('unit.app_id', "'not_applicable'") }} as app_state,
    listed.app_id is not null as has_listed_app,
    case when unit.app_id is not null then coalesce(scene.scenes_count, 0) end as scenes_count
from {{ ref('stg_irs__future_unit') }} as unit
left join listed on unit.app_id = listed.app_id
left join scene on unit.app_id = scene.app_id
