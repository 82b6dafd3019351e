{{ config(materialized='view') }}

select
    source,
    app_id,
    coalesce(module_id, '') as module_id,
    release_end,
    usage_on,
    app_name,
    page_views_count,
    visits_count,
    visitors_count,
    night_visitors_count,
    starts_count,
    completions_count,
    impressions_count,
    clicks_count,
    active_users_count,
    provisioned_users_count,
    rating_1_count,
    rating_2_count,
    rating_3_count,
    rating_4_count,
    rating_5_count,
    exits_count,
    transactions_count,
    digital_transactions_count,
    _missing_states as missing_states,
    _batch_id,
    _file_id,
    _row_number
from {{ ref('stg_conformed__usage') }}
where period_grain = 'day'
