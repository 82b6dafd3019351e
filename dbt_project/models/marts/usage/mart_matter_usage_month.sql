select
    usage.app_id,
    usage.module_id,
    usage.release_end,
    usage.month,
    {{ portal_of('usage.release_end') }} as portal,
    module.module_name,
    coalesce(module.module_kind, 'unknown') as module_kind,
    module.module_id is not null as is_registered,
    {% for measure in ['page_views_count', 'visitors_count', 'starts_count', 'completions_count', 'impressions_count',
        'clicks_count'] -%}
    usage.{{ measure }},
    {{ state_of_summed_measure(measure, 'usage.') }}
        as {{ measure | replace('_count', '_state') }},
    {% endfor -%}
    cast(bit_count(usage.reported_days_mask) as bigint) as days_reported_count
from {{ ref('int_app_usage_month') }} as usage
left join {{ ref('stg_irs__module') }} as module
    on usage.module_id = module.module_id
where usage.module_id <> ''
