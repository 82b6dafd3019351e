with wanted as (
    select
        app.app_id,
        app.app_name,
        app.is_province_assigned,
        unnest(['zheliban_app', 'zheliban_wechat', 'zheliban_alipay']) as release_end
    from {{ ref('stg_irs__app') }} as app
    where app.side = 'service'
),

listing as (
    select
        interval_row.app_id,
        interval_row.release_end,
        min(interval_row.listed_on) as first_listed_on,
        bool_or(coalesce(interval_row.delisted_on, date '9999-12-31') > clock.as_of_on) as is_listed
    from {{ ref('int_listing_interval') }} as interval_row
    cross join {{ ref('int_as_of') }} as clock
    where interval_row.listed_on <= clock.as_of_on
    group by interval_row.app_id, interval_row.release_end
)

select
    wanted.app_id,
    wanted.release_end,
    wanted.app_name,
    wanted.is_province_assigned,
    coalesce(listing.is_listed, false) as is_listed,
    listing.first_listed_on,
    case when listing.first_listed_on is null then 'not_applicable' else 'reported' end as first_listed_state,
    bool_and(coalesce(listing.is_listed, false)) over (partition by wanted.app_id) as is_on_all_ends
from wanted
left join listing
    on wanted.app_id = listing.app_id and wanted.release_end = listing.release_end
