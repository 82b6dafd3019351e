with shown as (
    select
        promotion_event_id,
        held_on,
        trim(unnest(string_split(coalesce(app_ids, ''), ';'))) as app_id
    from {{ ref('stg_irs__promotion_event') }}
)

select distinct
    shown.promotion_event_id,
    shown.held_on,
    shown.app_id,
    cast(shown.held_on - cast(promotion_window.value as integer) as date) as window_from_on,
    cast(shown.held_on + cast(promotion_window.value as integer) - 1 as date) as window_to_on,
    cast(promotion_window.value as integer) as window_days,
    promotion_window.rule_version
from shown
left join {{ ref('rule_threshold') }} as promotion_window
    on {{ rule_in_force('promotion_window', 'promotion_window_days', 'shown.held_on') }}
where shown.app_id <> ''
