with budget as (
    select
        execution.project_id,
        execution.budget_year,
        execution.project_name,
        execution.department_id,
        execution.level,
        execution.budget_cny,
        clock.as_of_on,
        make_date(execution.budget_year, 1, 1) as measured_from_on,
        least(make_date(execution.budget_year, 12, 31), clock.as_of_on) as measured_to_on
    from {{ ref('mart_budget_execution') }} as execution
    cross join {{ ref('int_as_of') }} as clock
    -- A year that has not begun is not judged yet.
    where make_date(execution.budget_year, 1, 1) <= clock.as_of_on
),

-- A link counts for the years from the one in which it was made.
linked as (
    select
        budget.project_id,
        budget.budget_year,
        budget.measured_from_on,
        budget.measured_to_on,
        link.app_id,
        link.is_app_known
    from budget
    inner join {{ ref('mart_project_app_link') }} as link
        on
            budget.project_id = link.project_id
            and coalesce(link.linked_on, date '1970-01-01') <= budget.measured_to_on
            and not coalesce(link.is_omitted_by_source, false)
),

listed as (
    select distinct
        linked.project_id,
        linked.budget_year,
        linked.app_id
    from linked
    inner join {{ ref('mart_app_listing_history') }} as listing
        on
            linked.app_id = listing.app_id
            and listing.portal <> 'standalone_app'
            and linked.measured_to_on >= listing.listed_on
            and coalesce(listing.delisted_on, date '9999-12-31') > linked.measured_to_on
),

online as (
    select
        linked.project_id,
        linked.budget_year,
        count(*) as linked_apps_count,
        count(*) filter (where not linked.is_app_known) as unknown_apps_count,
        count(listed.app_id) as online_apps_count
    from linked
    left join listed
        on
            linked.project_id = listed.project_id
            and linked.budget_year = listed.budget_year
            and linked.app_id = listed.app_id
    group by linked.project_id, linked.budget_year
),

-- Months in which an app was new or not listed are no one's fault; broken collectors leave the use unknown.
used as (
    select
        linked.project_id,
        linked.budget_year,
        count(*) filter (where verdict.verdict in ('in_use', 'seasonal')) as months_in_use_count,
        count(*) filter (where verdict.verdict in ('in_use', 'seasonal', 'low_use', 'unused')) as months_judged_count,
        count(*) filter (where verdict.verdict in ('collector_outage', 'not_measured')) as months_unknown_count
    from linked
    inner join {{ ref('mart_low_use_verdict') }} as verdict
        on
            linked.app_id = verdict.app_id
            and verdict.period_grain = 'month'
            and verdict.is_registered
            and verdict.period_start_on between linked.measured_from_on and linked.measured_to_on
    group by linked.project_id, linked.budget_year
),

answered as (
    select
        linked.project_id,
        linked.budget_year,
        sum(
            usage.rating_2_count + 2 * usage.rating_3_count + 3 * usage.rating_4_count + 4 * usage.rating_5_count
        ) as rating_steps_count,
        sum(
            usage.rating_1_count + usage.rating_2_count + usage.rating_3_count + usage.rating_4_count
            + usage.rating_5_count
        ) as ratings_count
    from linked
    inner join {{ ref('mart_portal_usage_month') }} as usage
        on linked.app_id = usage.app_id and usage.month between linked.measured_from_on and linked.measured_to_on
    group by linked.project_id, linked.budget_year
),

measured as (
    select
        budget.project_id,
        budget.budget_year,
        budget.project_name,
        budget.department_id,
        budget.level,
        budget.budget_cny,
        budget.measured_to_on,
        coalesce(online.linked_apps_count, 0) as linked_apps_count,
        case when online.unknown_apps_count = 0 then online.online_apps_count end as online_numerator,
        online.linked_apps_count as online_denominator,
        used.months_in_use_count as usage_numerator,
        used.months_judged_count as usage_denominator,
        answered.rating_steps_count as satisfaction_numerator,
        4 * answered.ratings_count as satisfaction_denominator,
        case when online.unknown_apps_count = 0 then 'reported' else 'missing' end as online_state,
        case
            when used.months_judged_count > 0 then 'reported'
            when used.months_unknown_count > 0 or used.project_id is null then 'missing'
            else 'not_applicable'
        end as usage_state,
        case
            when answered.ratings_count > 0 then 'reported'
            when answered.ratings_count = 0 then 'not_applicable'
            -- Listed nowhere all year: nobody could say anything.
            when used.months_judged_count = 0 and used.months_unknown_count = 0 then 'not_applicable'
            else 'missing'
        end as satisfaction_state
    from budget
    left join online on budget.project_id = online.project_id and budget.budget_year = online.budget_year
    left join used on budget.project_id = used.project_id and budget.budget_year = used.budget_year
    left join answered on budget.project_id = answered.project_id and budget.budget_year = answered.budget_year
),

rated as (
    select
        measured.project_id,
        measured.budget_year,
        unnest([
            {'rate_id': 'online_rate', 'state': online_state,
                'rate': online_numerator / nullif(cast(online_denominator as double), 0)},
            {'rate_id': 'usage_rate', 'state': usage_state,
                'rate': usage_numerator / nullif(cast(usage_denominator as double), 0)},
            {'rate_id': 'satisfaction_rate', 'state': satisfaction_state,
                'rate': satisfaction_numerator / nullif(cast(satisfaction_denominator as double), 0)}
        ], recursive := true),
        make_date(measured.budget_year, 12, 31) as judged_on
    from measured
    where measured.linked_apps_count > 0
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
    from rated
    inner join {{ ref('funding_weight') }} as weights
        on
            rated.rate_id = weights.rate_id
            and rated.judged_on >= weights.effective_from
            and rated.judged_on <= coalesce(weights.effective_to, date '9999-12-31')
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
        measured.usage_numerator,
        measured.usage_denominator,
        measured.satisfaction_numerator,
        measured.satisfaction_denominator,
        case when measured.linked_apps_count = 0 then 'not_applicable' else measured.online_state end as online_state,
        case when measured.linked_apps_count = 0 then 'not_applicable' else measured.usage_state end as usage_state,
        case when measured.linked_apps_count = 0 then 'not_applicable' else measured.satisfaction_state end
            as satisfaction_state,
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
        {{ rate('online_numerator', 'online_denominator') }} as online_rate,
        online_state,
        usage_numerator,
        usage_denominator,
        {{ rate('usage_numerator', 'usage_denominator') }} as usage_rate,
        usage_state,
        satisfaction_numerator,
        satisfaction_denominator,
        {{ rate('satisfaction_numerator', 'satisfaction_denominator') }} as satisfaction_rate,
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
    cast(shown.online_numerator as bigint) as online_numerator,
    cast(shown.online_denominator as bigint) as online_denominator,
    shown.online_rate,
    shown.online_state,
    cast(shown.usage_numerator as bigint) as usage_numerator,
    cast(shown.usage_denominator as bigint) as usage_denominator,
    shown.usage_rate,
    shown.usage_state,
    cast(shown.satisfaction_numerator as bigint) as satisfaction_numerator,
    cast(shown.satisfaction_denominator as bigint) as satisfaction_denominator,
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
