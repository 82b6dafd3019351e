{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_outdated_promotions() }}"
) }}

with shown as (
    select
        shown.promotion_event_id,
        shown.app_id,
        shown.held_on,
        shown.window_from_on,
        shown.window_to_on,
        shown.window_days,
        shown.rule_version
    from {{ ref('int_promoted_app') }} as shown
    {%- if is_incremental() %}
    where {{ promotion_is_outdated('shown') }}
    {%- endif %}
),

visitor_day as (
    select
        app_id,
        usage_on,
        sum(visitors_count) as visitors_count
    from {{ ref('stg_conformed__usage') }}
    where
        period_grain = 'day'
        and coalesce(module_id, '') = ''
        and {{ portal_of('release_end') }} = 'zheliban'
        and {{ is_in_promotion_window('usage_on') }}
    group by app_id, usage_on
),

compared as (
    select
        shown.promotion_event_id,
        shown.app_id,
        shown.held_on,
        shown.window_days,
        shown.rule_version,
        cast(sum(day.visitors_count) filter (where day.usage_on < shown.held_on) as bigint) as visitors_before_count,
        cast(sum(day.visitors_count) filter (where day.usage_on >= shown.held_on) as bigint) as visitors_after_count,
        count(day.visitors_count) filter (where day.usage_on < shown.held_on) as days_before_count,
        count(day.visitors_count) filter (where day.usage_on >= shown.held_on) as days_after_count
    from shown
    left join visitor_day as day
        on shown.app_id = day.app_id and day.usage_on between shown.window_from_on and shown.window_to_on
    group by shown.promotion_event_id, shown.app_id, shown.held_on, shown.window_days, shown.rule_version
),

averaged as (
    select
        promotion_event_id,
        app_id,
        held_on,
        window_days,
        rule_version,
        visitors_before_count,
        visitors_after_count,
        days_before_count,
        days_after_count,
        {{ rate('visitors_before_count', 'days_before_count') }} as visitors_a_day_before,
        {{ rate('visitors_after_count', 'days_after_count') }} as visitors_a_day_after
    from compared
)

select
    promotion_event_id,
    app_id,
    held_on,
    window_days,
    visitors_before_count,
    visitors_after_count,
    days_before_count,
    days_after_count,
    visitors_a_day_before,
    visitors_a_day_after,
    visitors_a_day_after / nullif(visitors_a_day_before, 0) - 1 as change_rate,
    {{ state_of_rate('visitors_a_day_after', 'visitors_a_day_before') }} as change_state,
    rule_version
from averaged
