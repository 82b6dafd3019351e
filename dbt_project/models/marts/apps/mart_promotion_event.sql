select
    promotion_event_id,
    event_name,
    held_on,
    {{ month_of('held_on') }} as month,
    viewers_count,
    {{ state_of('viewers_count') }} as viewers_state,
    len(list_filter(string_split(coalesce(app_ids, ''), ';'), lambda app_id: trim(app_id) <> '')) as apps_shown_count
from {{ ref('stg_irs__promotion_event') }}
