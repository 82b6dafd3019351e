with reported as (
    select
        source,
        app_id,
        app_name,
        coalesce(module_id, '') as module_id,
        release_end,
        period_grain,
        usage_on as period_end_on,
        case period_grain
            when 'month' then {{ month_of('usage_on') }}
            when 'quarter' then cast(date_trunc('quarter', usage_on) as date)
            when 'rolling_30d' then usage_on - 29
        end as period_start_on,
        page_views_count,
        visits_count,
        visitors_count,
        exits_count,
        transactions_count,
        digital_transactions_count,
        cost_per_transaction,
        digital_cost_per_transaction,
        currency_code,
        completion_rate,
        satisfaction_rate,
        _missing_states,
        _is_omitted,
        _batch_id,
        _file_id,
        _row_number
    from {{ ref('stg_conformed__usage') }}
    where period_grain <> 'day'
)

select
    source,
    app_id,
    module_id,
    release_end,
    period_grain,
    period_start_on,
    period_end_on,
    case when period_start_on is not null then period_end_on - period_start_on + 1 end as period_days_count,
    app_name,
    {% for measure in ['page_views_count', 'visits_count', 'visitors_count', 'exits_count', 'transactions_count',
        'digital_transactions_count'] -%}
    {{ measure }},
    {{ state_of_measure(measure) }} as {{ measure | replace('_count', '_state') }},
    {% endfor -%}
    {{ rate('digital_transactions_count', 'transactions_count') }} as digital_share,
    case
        when
            {{ state_of_measure('digital_transactions_count') }} = 'not_applicable'
            or {{ state_of_measure('transactions_count') }} = 'not_applicable' then 'not_applicable'
        else {{ state_of_rate('digital_transactions_count', 'transactions_count') }}
    end as digital_share_state,
    coalesce(digital_transactions_count > transactions_count, false) as is_digital_above_total,
    cast(cost_per_transaction as double) as cost_per_transaction,
    {{ state_of_measure('cost_per_transaction') }} as cost_per_transaction_state,
    cast(digital_cost_per_transaction as double) as digital_cost_per_transaction,
    {{ state_of_measure('digital_cost_per_transaction') }} as digital_cost_per_transaction_state,
    currency_code,
    cast(completion_rate as double) as completion_rate,
    {{ state_of_measure('completion_rate') }} as completion_rate_state,
    cast(satisfaction_rate as double) as satisfaction_rate,
    {{ state_of_measure('satisfaction_rate') }} as satisfaction_rate_state,
    coalesce(_is_omitted, false) as is_omitted_by_source,
    _batch_id,
    _file_id,
    _row_number
from reported
