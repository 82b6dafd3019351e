{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=["{{ keep_grown_months() }}", "{{ delete_pending_months() }}"]
) }}

{% set pending = pending_usage() if is_incremental() else none -%}

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
    where period_grain = 'day' and {{ is_pending('usage_on', pending) }}
),

counted as (
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
        cast(sum(active_users_count) as bigint) as active_users_sum,
        count(active_users_count) as active_users_days_count,
        cast(sum(provisioned_users_count) as bigint) as provisioned_users_sum,
        count(provisioned_users_count) as provisioned_users_days_count,
        sum(cast(active_users_count as double) / nullif(provisioned_users_count, 0)) as active_rate_sum,
        count(active_users_count / nullif(provisioned_users_count, 0)) as active_rate_days_count,
        bit_and(not_applicable_mask) as not_applicable_mask
    from daily
    group by app_id, module_id, release_end, {{ month_of('usage_on') }}
)
{%- if pending and pending.grown_months %},

-- What the month held before its new days: its other days are not read again.
grown as (
    select
        app_id,
        module_id,
        release_end,
        month,
        min(first_source) as first_source,
        max(last_source) as last_source,
        bit_or(reported_days_mask) as reported_days_mask,
        {% for measure in summed_measures() -%}
        cast(sum({{ measure }}) as bigint) as {{ measure }},
        {% endfor -%}
        sum(active_rate_sum) as active_rate_sum,
        bit_and(not_applicable_mask) as not_applicable_mask
    from (
        {%- for part in ['counted', 'grown_month'] %}
        select
            app_id,
            module_id,
            release_end,
            month,
            first_source,
            last_source,
            reported_days_mask,
            {% for measure in summed_measures() -%}
            {{ measure }},
            {% endfor -%}
            active_rate_sum,
            not_applicable_mask
        from {{ part }}
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as part
    group by app_id, module_id, release_end, month
)
{%- endif %}

select
    app_id,
    module_id,
    release_end,
    month,
    first_source,
    last_source,
    reported_days_mask,
    {% for measure in added_measures() -%}
    {{ measure }},
    {% endfor -%}
    cast(active_users_sum as double) / nullif(active_users_days_count, 0) as active_users_mean,
    cast(provisioned_users_sum as double) / nullif(provisioned_users_days_count, 0) as provisioned_users_mean,
    active_rate_sum,
    active_rate_days_count,
    active_users_sum,
    active_users_days_count,
    provisioned_users_sum,
    provisioned_users_days_count,
    not_applicable_mask
from {{ 'grown' if pending and pending.grown_months else 'counted' }}
