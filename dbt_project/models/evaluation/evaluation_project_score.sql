with project as (
    select
        round,
        project_id,
        any_value(project_name) as project_name,
        any_value(family) as family,
        any_value(department_id) as department_id,
        bool_and(indicators_count > 0) as is_in_depth
    from {{ ref('mart_project_assessment') }}
    group by round, project_id
),

-- The sheets name a round 2022Q3, the evaluation its period 2022-Q3.
dated as (
    select
        project.round,
        project.project_id,
        project.project_name,
        project.family,
        project.department_id,
        project.is_in_depth,
        round.round_id as run_id,
        round.period,
        coalesce(round.period_end_on, clock.as_of_on) as judged_on
    from project
    cross join {{ ref('int_as_of') }} as clock
    left join {{ ref('evaluation_round') }} as round
        on upper(replace(project.round, '-', '')) = upper(replace(round.period, '-', ''))
),

sheet as (
    select
        dated.round,
        dated.project_id,
        dated.judged_on,
        rule.assessor_kind,
        rule.weight,
        rule.when_missing,
        rule.rule_version,
        assessment.rate
    from dated
    inner join {{ ref('assessor_weight') }} as rule
        on
            dated.judged_on >= rule.effective_from
            and dated.judged_on <= coalesce(rule.effective_to, date '9999-12-31')
    left join {{ ref('mart_project_assessment') }} as assessment
        on
            dated.round = assessment.round
            and dated.project_id = assessment.project_id
            and rule.assessor_kind = assessment.assessor_kind
),

combined as (
    select
        round,
        project_id,
        max(rate) filter (where assessor_kind = 'self') as self_rate,
        max(rate) filter (where assessor_kind = 'expert') as expert_rate,
        max(rate) filter (where assessor_kind = 'third_party') as third_party_rate,
        max(weight) filter (where assessor_kind = 'self') as self_weight,
        max(weight) filter (where assessor_kind = 'expert') as expert_weight,
        max(weight) filter (where assessor_kind = 'third_party') as third_party_weight,
        sum(weight * rate) as weighted_sum,
        coalesce(sum(weight) filter (where rate is not null), 0) as given_weight,
        string_agg(assessor_kind, ';' order by assessor_kind) filter (where rate is null) as missing_assessors,
        string_agg(assessor_kind, ';' order by assessor_kind) filter (
            where rate is null and when_missing = 'withhold'
        ) as withholding_assessors,
        max(rule_version) as rule_version
    from sheet
    group by round, project_id
),

scored as (
    select
        dated.round,
        dated.project_id,
        dated.run_id,
        dated.period,
        dated.project_name,
        dated.family,
        dated.department_id,
        dated.is_in_depth,
        combined.self_rate,
        combined.expert_rate,
        combined.third_party_rate,
        combined.self_weight,
        combined.expert_weight,
        combined.third_party_weight,
        combined.missing_assessors,
        combined.withholding_assessors,
        combined.rule_version,
        case
            when combined.project_id is null then 'no_weight_in_force'
            when combined.withholding_assessors is not null
                then 'sheet_missing: ' || combined.withholding_assessors
            when combined.given_weight = 0 then 'sheet_missing: ' || combined.missing_assessors
        end as reason,
        combined.weighted_sum / nullif(combined.given_weight, 0) as combined_rate
    from dated
    left join combined on dated.round = combined.round and dated.project_id = combined.project_id
)

select
    scored.round,
    scored.project_id,
    scored.run_id,
    scored.period,
    scored.project_name,
    scored.family,
    scored.department_id,
    scored.is_in_depth,
    scored.self_rate,
    {{ state_of('scored.self_rate') }} as self_state,
    scored.expert_rate,
    {{ state_of('scored.expert_rate') }} as expert_state,
    scored.third_party_rate,
    {{ state_of('scored.third_party_rate') }} as third_party_state,
    scored.self_weight,
    scored.expert_weight,
    scored.third_party_weight,
    case when scored.reason is null then scored.combined_rate end as combined_rate,
    case when scored.reason is null then round(100 * scored.combined_rate, 6) end as score,
    case when scored.reason is null then 'scored' else 'withheld' end as status,
    scored.reason,
    case when scored.reason is null then scored.missing_assessors end as reweighted_for,
    gap.self_minus_others_rate,
    coalesce(gap.gap_state, 'missing') as gap_state,
    gap.far_above_threshold_rate,
    gap.is_self_rated_far_above,
    scored.rule_version
from scored
left join {{ ref('mart_assessor_gap') }} as gap
    on scored.round = gap.round and scored.project_id = gap.project_id
