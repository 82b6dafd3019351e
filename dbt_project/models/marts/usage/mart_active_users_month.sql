select
    app_id,
    portal,
    month,
    active_users_mean,
    provisioned_users_mean,
    active_rate_sum / nullif(active_rate_days_count, 0) as active_rate,
    case
        when active_rate_days_count > 0 then 'reported'
        when provisioned_users_mean = 0 then 'not_applicable'
        else 'missing'
    end as active_rate_state,
    coalesce(active_rate_days_count, 0) as measured_days_count,
    listed_days_count,
    reported_days_count
from {{ ref('mart_portal_usage_month') }}
where portal = 'zhezhengding' or active_users_mean is not null or provisioned_users_mean is not null
