with span as (
    select
        min(month) as first_month,
        max(month) as last_month
    from {{ ref('mart_portal_usage_month') }}
),

month as (
    select cast(unnest(generate_series(first_month, last_month, interval 1 month)) as date) as month
    from span
    where first_month is not null
),

app as (
    select
        app_id,
        side,
        registered_on,
        coalesce(is_seasonal, false) as is_seasonal,
        case side when 'service' then 'zheliban' else 'zhezhengding' end as portal
    from {{ ref('stg_irs__app') }}
),

first_listing as (
    select
        app_id,
        portal,
        min(listed_on) as first_listed_on
    from {{ ref('int_listing_interval') }}
    group by app_id, portal
),

-- Every registered app has a row for every month since it was registered, whatever arrived.
registered as (
    select
        app.app_id,
        true as is_registered,
        app.side,
        app.portal,
        'month' as period_grain,
        month.month as period_start_on,
        last_day(month.month) as period_end_on,
        coalesce(usage.source, 'none') as source,
        app.is_seasonal,
        first_listing.first_listed_on,
        coalesce(usage.listed_days_count, 0) as listed_days_count,
        coalesce(usage.reported_days_count, 0) as reported_days_count,
        coalesce(usage.missing_days_count, 0) as missing_days_count,
        case
            when app.side = 'governance'
                then usage.active_rate_sum / nullif(usage.active_rate_days_count, 0)
            else usage.visitors_count / nullif(cast(usage.reported_days_count as double), 0)
        end as measured_value,
        case when app.side = 'governance' then 'active_rate' else 'visitors_a_day' end as measure
    from app
    inner join month on app.registered_on <= last_day(month.month)
    left join {{ ref('mart_portal_usage_month') }} as usage
        on app.app_id = usage.app_id and app.portal = usage.portal and month.month = usage.month
    left join first_listing on app.app_id = first_listing.app_id and app.portal = first_listing.portal
),

unregistered as (
    select
        usage.app_id,
        false as is_registered,
        cast(null as varchar) as side,
        usage.portal,
        'month' as period_grain,
        usage.month as period_start_on,
        last_day(usage.month) as period_end_on,
        coalesce(usage.source, 'none') as source,
        false as is_seasonal,
        cast(null as date) as first_listed_on,
        cast(null as bigint) as listed_days_count,
        usage.reported_days_count,
        cast(null as bigint) as missing_days_count,
        coalesce(
            usage.active_rate_sum / nullif(usage.active_rate_days_count, 0),
            usage.visitors_count / nullif(cast(usage.reported_days_count as double), 0)
        ) as measured_value,
        case when usage.active_rate_days_count > 0 then 'active_rate' else 'visitors_a_day' end as measure
    from {{ ref('mart_portal_usage_month') }} as usage
    left join app on usage.app_id = app.app_id
    where app.app_id is null and usage.reported_days_count > 0
),

-- Sources that deliver a whole period at once: its mean a day stands against the same threshold.
period as (
    select
        usage.app_id,
        app.app_id is not null as is_registered,
        app.side,
        usage.release_end as portal,
        usage.period_grain,
        usage.period_start_on,
        usage.period_end_on,
        usage.source,
        coalesce(app.is_seasonal, false) as is_seasonal,
        cast(null as date) as first_listed_on,
        cast(null as bigint) as listed_days_count,
        usage.period_days_count as reported_days_count,
        cast(null as bigint) as missing_days_count,
        coalesce(usage.visitors_count, usage.visits_count, usage.transactions_count)
        / cast(usage.period_days_count as double) as measured_value,
        case
            when usage.visitors_count is not null then 'visitors_a_day'
            when usage.visits_count is not null then 'visits_a_day'
            when usage.transactions_count is not null then 'transactions_a_day'
            else 'none'
        end as measure
    from {{ ref('mart_app_usage_period') }} as usage
    left join app on usage.app_id = app.app_id
    where usage.module_id = ''
),

measured as (
    select
        app_id,
        is_registered,
        side,
        portal,
        period_grain,
        period_start_on,
        period_end_on,
        source,
        is_seasonal,
        first_listed_on,
        listed_days_count,
        reported_days_count,
        missing_days_count,
        measured_value,
        measure
    from registered
    union all
    select
        app_id,
        is_registered,
        side,
        portal,
        period_grain,
        period_start_on,
        period_end_on,
        source,
        is_seasonal,
        first_listed_on,
        listed_days_count,
        reported_days_count,
        missing_days_count,
        measured_value,
        measure
    from unregistered
    union all
    select
        app_id,
        is_registered,
        side,
        portal,
        period_grain,
        period_start_on,
        period_end_on,
        source,
        is_seasonal,
        first_listed_on,
        listed_days_count,
        reported_days_count,
        missing_days_count,
        measured_value,
        measure
    from period
),

judged as (
    select
        measured.app_id,
        measured.is_registered,
        measured.side,
        measured.portal,
        measured.period_grain,
        measured.period_start_on,
        measured.period_end_on,
        measured.source,
        measured.is_seasonal,
        measured.first_listed_on,
        measured.listed_days_count,
        measured.reported_days_count,
        measured.missing_days_count,
        measured.measured_value,
        measured.measure,
        low.value as threshold_value,
        outage.value as outage_share,
        service.value as minimum_months_in_service,
        low.rule_version,
        case
            when measured.listed_days_count = 0 then 'not_listed'
            when measured.missing_days_count >= outage.value * measured.listed_days_count then 'collector_outage'
            when measured.first_listed_on > measured.period_end_on - to_months(cast(service.value as integer))
                then 'new'
            when measured.measured_value is null then 'not_measured'
            when measured.measured_value >= low.value then 'in_use'
            when measured.is_seasonal then 'seasonal'
            when measured.measured_value = 0 then 'unused'
            else 'low_use'
        end as verdict
    from measured
    left join {{ ref('rule_threshold') }} as outage
        on {{ rule_in_force('outage', 'outage_missing_day_share', 'measured.period_end_on') }}
    left join {{ ref('rule_threshold') }} as service
        on {{ rule_in_force('service', 'minimum_months_in_service', 'measured.period_end_on') }}
    left join {{ ref('rule_threshold') }} as low
        on
            (measured.measure = 'active_rate' and {{ rule_in_force(
                'low', 'low_use_active_rate', 'measured.period_end_on', "'governance'") }})
            or (measured.measure <> 'active_rate' and {{ rule_in_force(
                'low', 'low_use_daily_visitors', 'measured.period_end_on', "'service'") }})
)

select
    app_id,
    source,
    portal,
    period_grain,
    period_start_on,
    period_end_on,
    {{ month_of('period_end_on') }} as month,
    is_registered,
    side,
    verdict,
    measure,
    measured_value,
    case
        when measured_value is not null then 'reported'
        when verdict = 'not_listed' then 'not_applicable'
        else 'missing'
    end as measured_state,
    threshold_value,
    first_listed_on,
    listed_days_count,
    reported_days_count,
    missing_days_count,
    {{ state_of('listed_days_count', "'not_applicable'") }} as listed_days_state,
    case verdict
        when 'not_listed' then '当期未上架'
        when 'collector_outage'
            then '上架' || listed_days_count || '天中有' || missing_days_count || '天无数据，疑为采集中断，不作使用判定'
        when 'new' then '首次上架于' || first_listed_on || '，运行不满' || cast(minimum_months_in_service as integer) || '个月'
        when 'not_measured' then '来源未报送使用量，无法判定'
        when 'in_use' then '日均' || round(measured_value, 3) || '，不低于' || threshold_value
        when 'seasonal' then '日均' || round(measured_value, 3) || '，低于' || threshold_value || '，但登记为季节性应用'
        when 'unused' then '当期没有任何使用'
        when 'low_use' then '日均' || round(measured_value, 3) || '，低于' || threshold_value
    end as reason_zh,
    case verdict
        when 'not_listed' then 'not listed in the period'
        when 'collector_outage'
            then
                missing_days_count || ' of ' || listed_days_count
                || ' listed days have no data: the collector seems broken, so use is not judged'
        when 'new'
            then
                'first listed on ' || first_listed_on || ', in service for less than '
                || cast(minimum_months_in_service as integer) || ' months'
        when 'not_measured' then 'the source reports no measure of use'
        when 'in_use' then 'daily mean ' || round(measured_value, 3) || ', not under ' || threshold_value
        when 'seasonal'
            then
                'daily mean ' || round(measured_value, 3) || ', under ' || threshold_value
                || ', but registered as seasonal'
        when 'unused' then 'no use at all in the period'
        when 'low_use' then 'daily mean ' || round(measured_value, 3) || ', under ' || threshold_value
    end as reason_en,
    rule_version
from judged
