-- The app as a whole (empty module) and each of its matters.
with usage as (
    select
        app_id,
        module_id as matter_id,
        month,
        {{ portal_of('release_end') }} as portal,
        visitors_count
    from {{ ref('int_app_usage_month') }}
    where {{ portal_of('release_end') }} in ('zheliban', 'standalone_app')
),

own_app as (
    select distinct
        app_id,
        month
    from {{ ref('int_listing_month') }}
    where portal = 'standalone_app'
    union
    select distinct
        app_id,
        month
    from usage
    where portal = 'standalone_app'
),

shared as (
    select
        usage.app_id,
        usage.matter_id,
        usage.month,
        cast(sum(usage.visitors_count) filter (where usage.portal = 'zheliban') as bigint) as zheliban_visitors_count,
        cast(sum(usage.visitors_count) filter (where usage.portal = 'standalone_app') as bigint)
            as own_app_visitors_count
    from usage
    inner join own_app on usage.app_id = own_app.app_id and usage.month = own_app.month
    group by usage.app_id, usage.matter_id, usage.month
),

measured as (
    select
        app_id,
        matter_id,
        month,
        zheliban_visitors_count,
        own_app_visitors_count,
        zheliban_visitors_count + own_app_visitors_count as all_visitors_count,
        {{ rate('zheliban_visitors_count', '(zheliban_visitors_count + own_app_visitors_count)') }} as zheliban_share
    from shared
)

select
    measured.app_id,
    measured.matter_id,
    measured.month,
    module.module_name as matter_name,
    measured.zheliban_visitors_count,
    {{ state_of('measured.zheliban_visitors_count') }} as zheliban_visitors_state,
    measured.own_app_visitors_count,
    {{ state_of('measured.own_app_visitors_count') }} as own_app_visitors_state,
    measured.zheliban_share,
    {{ state_of_rate('measured.zheliban_visitors_count', 'measured.all_visitors_count') }} as zheliban_share_state,
    weak.value as weak_below_share,
    measured.zheliban_share < weak.value as is_weak,
    weak.rule_version
from measured
left join {{ ref('stg_irs__module') }} as module on measured.matter_id = module.module_id
left join {{ ref('rule_threshold') }} as weak
    on {{ rule_in_force('weak', 'weak_zheliban_share', 'last_day(measured.month)') }}
