with rates as (
    select
        round,
        project_id,
        any_value(project_name) as project_name,
        any_value(department_id) as department_id,
        max(rate) filter (where assessor_kind = 'self') as self_rate,
        max(rate) filter (where assessor_kind = 'expert') as expert_rate,
        max(rate) filter (where assessor_kind = 'third_party') as third_party_rate,
        avg(rate) filter (where assessor_kind <> 'self') as others_mean_rate
    from {{ ref('mart_project_assessment') }}
    group by round, project_id
),

rule as (
    select
        rule.value,
        rule.rule_version
    from {{ ref('int_as_of') }} as clock
    inner join {{ ref('rule_threshold_projects') }} as rule
        on {{ rule_in_force('rule', 'self_rated_far_above_rate', 'clock.as_of_on') }}
)

select
    rates.round,
    rates.project_id,
    rates.project_name,
    rates.department_id,
    rates.self_rate,
    rates.expert_rate,
    rates.third_party_rate,
    rates.others_mean_rate,
    rates.self_rate - rates.others_mean_rate as self_minus_others_rate,
    rates.third_party_rate - rates.expert_rate as third_party_minus_expert_rate,
    {{ state_of('rates.self_rate - rates.others_mean_rate') }} as gap_state,
    rule.value as far_above_threshold_rate,
    -- Rates are quotients: without rounding, a gap of exactly the threshold would hang on the last bit.
    round(rates.self_rate - rates.others_mean_rate, 9) >= rule.value as is_self_rated_far_above,
    rule.rule_version
from rates
left join rule on true
