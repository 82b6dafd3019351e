with summed as (
    select
        run_id,
        period,
        app_id,
        sum(points) as points,
        coalesce(sum(weight) filter (where status = 'scored'), 0) as scored_weight,
        coalesce(sum(weight) filter (where status = 'withheld'), 0) as withheld_weight,
        coalesce(sum(weight) filter (where status = 'not_applicable'), 0) as not_applicable_weight,
        string_agg(indicator_id, ';' order by indicator_id) filter (where status = 'withheld') as withheld_indicators,
        string_agg(title_zh || '（' || coalesce(reason_zh, reason) || '）', '；' order by indicator_id) filter (
            where status = 'withheld'
        ) as withheld_zh,
        string_agg(title_en || ' (' || coalesce(reason_en, reason) || ')', '; ' order by indicator_id) filter (
            where status = 'withheld'
        ) as withheld_en,
        max(rule_version) as rule_version
    from {{ ref('evaluation_indicator_points') }}
    group by run_id, period, app_id
),

-- Points that could not be given are spread over the indicators that were scored; they are not zeros.
scored as (
    select
        summed.run_id,
        summed.period,
        summed.app_id,
        summed.scored_weight,
        summed.withheld_weight,
        summed.not_applicable_weight,
        summed.withheld_indicators,
        summed.withheld_zh,
        summed.withheld_en,
        summed.rule_version,
        round.period_end_on,
        case
            when summed.withheld_weight <= ceiling.value and summed.scored_weight > 0
                then round(100 * summed.points / summed.scored_weight, 6)
        end as score
    from summed
    inner join {{ ref('evaluation_round') }} as round on summed.run_id = round.round_id
    left join {{ ref('rule_threshold') }} as ceiling
        on {{ rule_in_force('ceiling', 'withheld_points_maximum', 'round.period_end_on') }}
),

starred as (
    select
        scored.run_id,
        scored.app_id,
        max(band.stars) as stars
    from scored
    inner join {{ ref('star_band') }} as band
        on
            scored.score >= band.minimum_score
            and scored.period_end_on >= band.effective_from
            and scored.period_end_on <= coalesce(band.effective_to, date '9999-12-31')
    group by scored.run_id, scored.app_id
)

select
    scored.run_id,
    scored.period,
    scored.app_id,
    starred.stars,
    scored.score,
    case when scored.score is not null then 'scored' else 'withheld' end as status,
    case
        when
            scored.score is null
            then 'withheld_indicators: ' || coalesce(scored.withheld_indicators, 'all not applicable')
    end as reason,
    case when scored.score is null then '暂不评：' || coalesce(scored.withheld_zh, '所有指标均不适用') end as reason_zh,
    case when scored.score is null then 'withheld: ' || coalesce(scored.withheld_en, 'no indicator applies') end
        as reason_en,
    case
        when scored.score is null then 'not_applicable'
        when starred.stars is null then 'below_lowest_band'
        else 'reported'
    end as stars_state,
    scored.scored_weight,
    scored.withheld_weight,
    scored.not_applicable_weight,
    scored.rule_version
from scored
left join starred on scored.run_id = starred.run_id and scored.app_id = starred.app_id
