{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ delete_pending_months() }}"
) }}

{% set months = pending_months() if is_incremental() else none -%}

with daily as (
    select
        app_id,
        coalesce(module_id, '') as module_id,
        release_end,
        usage_on,
        {{ not_applicable_mask() }} as not_applicable_mask,
        active_users_count,
        provisioned_users_count,
        {% for measure in added_measures() -%}
        {{ measure }},
        {% endfor -%}
        source
    from {{ ref('stg_conformed__usage') }}
    where period_grain = 'day' and {{ is_in_months('usage_on', months) }}
)

select
    app_id,
    module_id,
    release_end,
    {{ month_of('usage_on') }} as month,
    min(source) as first_source,
    max(source) as last_source,
    bit_or(cast(1 as bigint) << (day(usage_on) - 1)) as reported_days_mask,
    {% for measure in added_measures() -%}
    cast(sum({{ measure }}) as bigint) as {{ measure }},
    {% endfor -%}
    avg(active_users_count) as active_users_mean,
    avg(provisioned_users_count) as provisioned_users_mean,
    sum(cast(active_users_count as double) / nullif(provisioned_users_count, 0)) as active_rate_sum,
    count(active_users_count / nullif(provisioned_users_count, 0)) as active_rate_days_count,
    bit_and(not_applicable_mask) as not_applicable_mask
from daily
group by app_id, module_id, release_end, {{ month_of('usage_on') }}
