with pivoted as (
    select
        project_id,
        budget_year,
        max(measured_to_on) as measured_to_on,
        max(linked_apps_count) as linked_apps_count,
        max(numerator) filter (where rate_id = 'online_rate') as online_numerator,
        max(denominator) filter (where rate_id = 'online_rate') as online_denominator,
        max(rate) filter (where rate_id = 'online_rate') as online_rate,
        max(state) filter (where rate_id = 'online_rate') as online_state,
        max(numerator) filter (where rate_id = 'usage_rate') as usage_numerator,
        max(denominator) filter (where rate_id = 'usage_rate') as usage_denominator,
        max(rate) filter (where rate_id = 'usage_rate') as usage_rate,
        max(state) filter (where rate_id = 'usage_rate') as usage_state,
        max(numerator) filter (where rate_id = 'satisfaction_rate') as satisfaction_numerator,
        max(denominator) filter (where rate_id = 'satisfaction_rate') as satisfaction_denominator,
        max(rate) filter (where rate_id = 'satisfaction_rate') as satisfaction_rate,
        max(state) filter (where rate_id = 'satisfaction_rate') as satisfaction_state
    from {{ ref('evaluation_funding_rate') }}
    group by project_id, budget_year
),

measured as (
    select
        pivoted.project_id,
        pivoted.budget_year,
        execution.project_name,
        execution.department_id,
        execution.level,
        execution.budget_cny,
        pivoted.measured_to_on,
        pivoted.linked_apps_count,
        pivoted.online_numerator,
        pivoted.online_denominator,
        pivoted.online_rate,
        pivoted.online_state,
        pivoted.usage_numerator,
        pivoted.usage_denominator,
        pivoted.usage_rate,
        pivoted.usage_state,
        pivoted.satisfaction_numerator,
        pivoted.satisfaction_denominator,
        pivoted.satisfaction_rate,
        pivoted.satisfaction_state
    from pivoted
    inner join {{ ref('mart_budget_execution') }} as execution
        on pivoted.project_id = execution.project_id and pivoted.budget_year = execution.budget_year
),

-- A rate that cannot apply gives its weight to the others; a missing one withholds the share.
combined as (
    select
        rated.project_id,
        rated.budget_year,
        string_agg(rated.rate_id, ';' order by rated.rate_id) filter (where rated.state = 'missing') as missing_rates,
        string_agg(rated.rate_id, ';' order by rated.rate_id) filter (where rated.state = 'not_applicable')
            as not_applicable_rates,
        -- Quotients: without rounding, a rate of exactly a band's edge would hang on the last bit.
        round(
            sum(weights.weight * rated.rate) filter (where rated.state = 'reported')
            / nullif(sum(weights.weight) filter (where rated.state = 'reported'), 0),
            9
        ) as combined_rate,
        max(weights.rule_version) as rule_version
    from {{ ref('evaluation_funding_rate') }} as rated
    inner join {{ ref('funding_weight') }} as weights
        on
            rated.rate_id = weights.rate_id
            and make_date(rated.budget_year, 12, 31) >= weights.effective_from
            and make_date(rated.budget_year, 12, 31) <= coalesce(weights.effective_to, date '9999-12-31')
    where rated.linked_apps_count > 0
    group by rated.project_id, rated.budget_year
),

banded as (
    select
        combined.project_id,
        combined.budget_year,
        arg_max(band.share, band.minimum_rate) as share
    from combined
    inner join {{ ref('funding_band') }} as band
        on
            combined.combined_rate >= band.minimum_rate
            and make_date(combined.budget_year, 12, 31) >= band.effective_from
            and make_date(combined.budget_year, 12, 31) <= coalesce(band.effective_to, date '9999-12-31')
    where combined.missing_rates is null
    group by combined.project_id, combined.budget_year
),

judged as (
    select
        measured.project_id,
        measured.budget_year,
        measured.project_name,
        measured.department_id,
        measured.level,
        measured.measured_to_on,
        measured.linked_apps_count,
        measured.online_numerator,
        measured.online_denominator,
        measured.online_rate,
        measured.online_state,
        measured.usage_numerator,
        measured.usage_denominator,
        measured.usage_rate,
        measured.usage_state,
        measured.satisfaction_numerator,
        measured.satisfaction_denominator,
        measured.satisfaction_rate,
        measured.satisfaction_state,
        combined.not_applicable_rates,
        combined.combined_rate,
        banded.share,
        measured.budget_cny,
        combined.rule_version,
        case
            when measured.linked_apps_count = 0 then 'no_app_linked'
            when measured.budget_cny is null then 'budget_missing'
            when combined.project_id is null then 'no_weight_in_force'
            when combined.missing_rates is not null then 'rate_missing: ' || combined.missing_rates
            when combined.combined_rate is null then 'nothing_to_measure'
            when banded.project_id is null then 'no_band_for_rate'
        end as reason
    from measured
    left join combined on measured.project_id = combined.project_id and measured.budget_year = combined.budget_year
    left join banded on measured.project_id = banded.project_id and measured.budget_year = banded.budget_year
),

current_share as (
    select
        project_id,
        budget_year,
        project_name,
        department_id,
        level,
        measured_to_on,
        linked_apps_count,
        online_numerator,
        online_denominator,
        online_rate,
        online_state,
        usage_numerator,
        usage_denominator,
        usage_rate,
        usage_state,
        satisfaction_numerator,
        satisfaction_denominator,
        satisfaction_rate,
        satisfaction_state,
        not_applicable_rates,
        combined_rate,
        case
            when reason is null then 'computed'
            when reason in ('no_app_linked', 'nothing_to_measure') then 'not_applicable'
            else 'withheld'
        end as state,
        reason,
        case when reason is null then share end as share,
        budget_cny,
        case when reason is null then round(budget_cny * cast(share as decimal(5, 4)), 2) end as payable_cny,
        rule_version
    from judged
),

-- Confirmed money is frozen: a later computation stands beside it and changes nothing.
confirmed as (
    select
        project_id,
        budget_year,
        project_name,
        department_id,
        level,
        measured_to_on,
        linked_apps_count,
        online_numerator,
        online_denominator,
        online_rate,
        online_state,
        usage_numerator,
        usage_denominator,
        usage_rate,
        usage_state,
        satisfaction_numerator,
        satisfaction_denominator,
        satisfaction_rate,
        satisfaction_state,
        not_applicable_rates,
        combined_rate,
        state,
        reason,
        share,
        budget_cny,
        payable_cny,
        rule_version
    from {{ source('confirmed', 'funding_share') }}
    where state = 'computed'
),

shown as (
    select
        project_id,
        budget_year,
        project_name,
        department_id,
        level,
        measured_to_on,
        linked_apps_count,
        online_numerator,
        online_denominator,
        online_rate,
        online_state,
        usage_numerator,
        usage_denominator,
        usage_rate,
        usage_state,
        satisfaction_numerator,
        satisfaction_denominator,
        satisfaction_rate,
        satisfaction_state,
        not_applicable_rates,
        combined_rate,
        state,
        reason,
        share,
        budget_cny,
        payable_cny,
        rule_version,
        true as is_frozen
    from confirmed
    union all
    select
        current_share.project_id,
        current_share.budget_year,
        current_share.project_name,
        current_share.department_id,
        current_share.level,
        current_share.measured_to_on,
        current_share.linked_apps_count,
        current_share.online_numerator,
        current_share.online_denominator,
        current_share.online_rate,
        current_share.online_state,
        current_share.usage_numerator,
        current_share.usage_denominator,
        current_share.usage_rate,
        current_share.usage_state,
        current_share.satisfaction_numerator,
        current_share.satisfaction_denominator,
        current_share.satisfaction_rate,
        current_share.satisfaction_state,
        current_share.not_applicable_rates,
        current_share.combined_rate,
        current_share.state,
        current_share.reason,
        current_share.share,
        current_share.budget_cny,
        current_share.payable_cny,
        current_share.rule_version,
        false
    from current_share
    left join confirmed
        on current_share.project_id = confirmed.project_id and current_share.budget_year = confirmed.budget_year
    where confirmed.project_id is null
)

select
    shown.project_id,
    shown.budget_year,
    shown.project_name,
    shown.department_id,
    shown.level,
    shown.measured_to_on,
    shown.linked_apps_count,
    shown.online_numerator,
    shown.online_denominator,
    shown.online_rate,
    shown.online_state,
    shown.usage_numerator,
    shown.usage_denominator,
    shown.usage_rate,
    shown.usage_state,
    shown.satisfaction_numerator,
    shown.satisfaction_denominator,
    shown.satisfaction_rate,
    shown.satisfaction_state,
    shown.not_applicable_rates,
    shown.combined_rate,
    shown.state,
    shown.reason,
    shown.share,
    {{ cny('shown.budget_cny') }} as budget_cny,
    {{ state_of('shown.budget_cny') }} as budget_state,
    {{ cny('shown.payable_cny') }} as payable_cny,
    {{ cny('shown.budget_cny - shown.payable_cny') }} as withheld_cny,
    {{ cny('shown.payable_cny - shown.budget_cny') }} as change_cny,
    shown.is_frozen,
    current_share.share as current_share,
    {{ cny('current_share.payable_cny') }} as current_payable_cny,
    {{ cny('current_share.payable_cny - shown.payable_cny') }} as current_difference_cny,
    coalesce(current_share.state, 'withdrawn') as current_state,
    shown.rule_version
from shown
left join current_share
    on shown.project_id = current_share.project_id and shown.budget_year = current_share.budget_year
