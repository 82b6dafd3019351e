with usage as (
    select
        app_id,
        release_end,
        month,
        first_source,
        last_source,
        reported_days_mask,
        {% for measure in added_measures() -%}
        {{ measure }},
        {{ state_of_summed_measure(measure) }} as {{ measure | replace('_count', '_state') }},
        {% endfor -%}
        active_users_mean,
        provisioned_users_mean,
        active_rate_sum / nullif(active_rate_days_count, 0) as active_rate_mean,
        active_rate_days_count,
        {{ state_of_summed_measure('active_users_count', value='active_users_mean') }} as active_users_state
    from {{ ref('int_app_usage_month') }}
    where module_id = ''
),

listing as (
    select
        app_id,
        release_end,
        month,
        listed_days_mask
    from {{ ref('int_listing_month') }}
),

listed_app as (
    select distinct
        app_id,
        release_end
    from {{ ref('int_listing_interval') }}
)

select
    coalesce(usage.app_id, listing.app_id) as app_id,
    coalesce(usage.release_end, listing.release_end) as release_end,
    coalesce(usage.month, listing.month) as month,
    {{ portal_of('coalesce(usage.release_end, listing.release_end)') }} as portal,
    case
        when usage.first_source = usage.last_source then usage.first_source
        when usage.first_source is not null then usage.first_source || ';' || usage.last_source
    end as source,
    {% for measure in added_measures() -%}
    usage.{{ measure }},
    coalesce(usage.{{ measure | replace('_count', '_state') }}, 'missing')
        as {{ measure | replace('_count', '_state') }},
    {% endfor -%}
    usage.active_users_mean,
    usage.provisioned_users_mean,
    usage.active_rate_mean,
    coalesce(usage.active_rate_days_count, 0) as active_rate_days_count,
    coalesce(usage.active_users_state, 'missing') as active_users_state,
    case
        when listed_app.app_id is not null then cast(bit_count(coalesce(listing.listed_days_mask, 0)) as bigint)
    end as days_expected_count,
    {{ state_of('listed_app.app_id') }} as days_expected_state,
    cast(bit_count(coalesce(usage.reported_days_mask, 0)) as bigint) as days_reported_count,
    case
        when listed_app.app_id is not null
            then cast(
                bit_count(coalesce(listing.listed_days_mask, 0) & ~coalesce(usage.reported_days_mask, 0)) as bigint
            )
    end as days_missing_count,
    coalesce(usage.reported_days_mask, 0) as reported_days_mask,
    coalesce(listing.listed_days_mask, 0) as listed_days_mask
from usage
full join listing
    on
        usage.app_id = listing.app_id
        and usage.release_end = listing.release_end
        and usage.month = listing.month
left join listed_app
    on
        listed_app.app_id = coalesce(usage.app_id, listing.app_id)
        and listed_app.release_end = coalesce(usage.release_end, listing.release_end)
