select
    app_id,
    portal,
    month,
    min(source) as source,
    cast(sum(visitors_count) as bigint) as visitors_count,
    {{ state_of_sum('visitors_state') }} as visitors_state,
    cast(sum(starts_count) as bigint) as starts_count,
    cast(sum(completions_count) as bigint) as completions_count,
    {% for rating in range(1, 6) -%}
    cast(sum(rating_{{ rating }}_count) as bigint) as rating_{{ rating }}_count,
    {% endfor -%}
    avg(active_users_mean) as active_users_mean,
    avg(provisioned_users_mean) as provisioned_users_mean,
    sum(active_rate_mean * active_rate_days_count) as active_rate_sum,
    cast(sum(active_rate_days_count) as bigint) as active_rate_days_count,
    bit_or(listed_days_mask) as listed_days_mask,
    bit_or(reported_days_mask) as reported_days_mask,
    bool_or(days_expected_state = 'reported') as has_listing,
    cast(bit_count(bit_or(listed_days_mask)) as bigint) as listed_days_count,
    cast(bit_count(bit_or(reported_days_mask)) as bigint) as reported_days_count,
    cast(bit_count(bit_or(listed_days_mask) & ~bit_or(reported_days_mask)) as bigint) as missing_days_count
from {{ ref('mart_app_usage_month') }}
group by app_id, portal, month
