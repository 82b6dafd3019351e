-- Every indicator of the family and side of every app in scope: the exhaustive index.
with indexed as (
    select
        population.run_id,
        population.period,
        population.app_id,
        population.side,
        population.family,
        round.period_end_on,
        indicator.indicator_id,
        indicator.title_zh,
        indicator.title_en,
        indicator.dimension,
        indicator.metric_id,
        indicator.weight,
        indicator.scoring_method,
        indicator.lower_bound,
        indicator.upper_bound,
        indicator.parts_count,
        indicator.deduction_points,
        indicator.floor_points,
        indicator.minimum_coverage,
        indicator.minimum_observations,
        indicator.applicability_metric_id,
        indicator.reason_not_applicable,
        indicator.evidence,
        indicator.rule_version
    from {{ ref('evaluation_population') }} as population
    inner join {{ ref('evaluation_round') }} as round on population.run_id = round.round_id
    inner join {{ ref('indicator') }} as indicator
        on
            population.family = indicator.family
            and indicator.side in ('all', population.side)
            and round.period_end_on >= indicator.effective_from
            and round.period_end_on <= coalesce(indicator.effective_to, date '9999-12-31')
    where population.is_in_scope
),

measured as (
    select
        indexed.run_id,
        indexed.app_id,
        indexed.indicator_id,
        measure.numerator,
        measure.denominator,
        measure.value,
        measure.observations_count,
        measure.covered_days_count,
        measure.expected_days_count,
        usage_coverage.portal,
        usage_coverage.listed_days_count,
        usage_coverage.delivered_days_count,
        usage_coverage.portal_gaps,
        coalesce(measure.missing_deliveries, applicability.missing_deliveries) as missing_deliveries,
        case
            when
                usage_coverage.delivered_days_count < indexed.minimum_coverage * usage_coverage.listed_days_count
                then 'portal_days_missing'
            else 'app_days_missing'
        end as coverage_reason,
        indexed.applicability_metric_id is null or applicability.value > 0 as is_applicable,
        case
            when measure.app_id is null then 'indicator_without_measure'
            when indexed.applicability_metric_id is not null and applicability.app_id is null
                then 'indicator_without_measure'
            when measure.missing_deliveries is not null or applicability.missing_deliveries is not null
                then 'source_not_delivered'
            when applicability.covered_days_count < indexed.minimum_coverage * applicability.expected_days_count
                then coverage_reason
            when applicability.reason is not null then applicability.reason
            when not is_applicable then indexed.reason_not_applicable
            when measure.covered_days_count < indexed.minimum_coverage * measure.expected_days_count
                then coverage_reason
            when measure.reason is not null then measure.reason
            when measure.observations_count < indexed.minimum_observations then 'too_few_observations'
        end as reason
    from indexed
    left join {{ ref('evaluation_indicator_measure') }} as measure
        on
            indexed.run_id = measure.run_id
            and indexed.app_id = measure.app_id
            and indexed.metric_id = measure.metric_id
    left join {{ ref('evaluation_indicator_measure') }} as applicability
        on
            indexed.run_id = applicability.run_id
            and indexed.app_id = applicability.app_id
            and indexed.applicability_metric_id = applicability.metric_id
    left join {{ ref('evaluation_usage_coverage') }} as usage_coverage
        on indexed.run_id = usage_coverage.run_id and indexed.app_id = usage_coverage.app_id
),

-- The value that is scored lies within the bounds of the indicator.
bounded as (
    select
        indexed.run_id,
        indexed.app_id,
        indexed.indicator_id,
        measured.reason,
        case
            when measured.reason is null
                then greatest(least(measured.value, indexed.upper_bound), indexed.lower_bound)
        end as bounded_value
    from indexed
    inner join measured
        on
            indexed.run_id = measured.run_id
            and indexed.app_id = measured.app_id
            and indexed.indicator_id = measured.indicator_id
),

-- The knots of a curve, or the steps, each with the one after it; points are a share of the weight.
band as (
    select
        indicator_id,
        family,
        side,
        lower_value,
        points_share,
        effective_from,
        effective_to,
        lead(lower_value) over knots as upper_value,
        lead(points_share) over knots as upper_share
    from {{ ref('scoring_band') }}
    window knots as (partition by indicator_id, family, side, effective_from order by lower_value)
),

banded as (
    select
        indexed.run_id,
        indexed.app_id,
        indexed.indicator_id,
        band.lower_value,
        band.points_share as lower_share,
        band.upper_value,
        band.upper_share
    from indexed
    inner join bounded
        on
            indexed.run_id = bounded.run_id
            and indexed.app_id = bounded.app_id
            and indexed.indicator_id = bounded.indicator_id
    inner join band
        on
            indexed.indicator_id = band.indicator_id
            and band.family in ('all', indexed.family)
            and band.side in ('all', indexed.side)
            and indexed.period_end_on >= band.effective_from
            and indexed.period_end_on <= coalesce(band.effective_to, date '9999-12-31')
            and bounded.bounded_value >= band.lower_value
            and (bounded.bounded_value < band.upper_value or band.upper_value is null)
    where indexed.scoring_method in ('step', 'piecewise')
),

-- The stretch of values that the value lies in and what its ends give; pro rata and deduction are one stretch.
stretched as (
    select
        indexed.run_id,
        indexed.app_id,
        indexed.indicator_id,
        bounded.reason,
        bounded.bounded_value,
        case indexed.scoring_method
            when 'pro_rata' then coalesce(indexed.lower_bound, 0)
            when 'deduction' then 0
            else banded.lower_value
        end as band_lower_value,
        case indexed.scoring_method
            when 'pro_rata' then 0
            when 'deduction' then indexed.weight
            else banded.lower_share * indexed.weight
        end as band_lower_points,
        case indexed.scoring_method
            when 'pro_rata' then coalesce(indexed.upper_bound, 1)
            when 'deduction' then (indexed.weight - coalesce(indexed.floor_points, 0)) / indexed.deduction_points
            else banded.upper_value
        end as band_upper_value,
        case indexed.scoring_method
            when 'pro_rata' then indexed.weight
            when 'deduction' then coalesce(indexed.floor_points, 0)
            else banded.upper_share * indexed.weight
        end as band_upper_points
    from indexed
    inner join bounded
        on
            indexed.run_id = bounded.run_id
            and indexed.app_id = bounded.app_id
            and indexed.indicator_id = bounded.indicator_id
    left join banded
        on
            indexed.run_id = banded.run_id
            and indexed.app_id = banded.app_id
            and indexed.indicator_id = banded.indicator_id
),

pointed as (
    select
        indexed.run_id,
        indexed.app_id,
        indexed.indicator_id,
        stretched.reason,
        stretched.band_lower_value,
        stretched.band_lower_points,
        stretched.band_upper_value,
        stretched.band_upper_points,
        case
            when stretched.band_upper_value > stretched.band_lower_value
                then
                    (stretched.bounded_value - stretched.band_lower_value)
                    / (stretched.band_upper_value - stretched.band_lower_value)
            when stretched.bounded_value is not null then 0
        end as way_through_band,
        case indexed.scoring_method
            when 'step' then stretched.band_lower_points
            when 'piecewise'
                then
                    stretched.band_lower_points
                    + way_through_band
                    * (coalesce(stretched.band_upper_points, stretched.band_lower_points) - stretched.band_lower_points)
            -- In parts, only whole parts count; rounding first, so that 3 of 5 is three parts.
            when 'pro_rata'
                then
                    indexed.weight * case
                        when indexed.parts_count is null then greatest(least(way_through_band, 1), 0)
                        else
                            floor(round(greatest(least(way_through_band, 1), 0) * indexed.parts_count, 9))
                            / indexed.parts_count
                    end
            when 'deduction'
                then greatest(
                    indexed.weight - indexed.deduction_points * stretched.bounded_value,
                    coalesce(indexed.floor_points, 0)
                )
        end as points
    from indexed
    inner join stretched
        on
            indexed.run_id = stretched.run_id
            and indexed.app_id = stretched.app_id
            and indexed.indicator_id = stretched.indicator_id
),

decided as (
    select
        run_id,
        app_id,
        indicator_id,
        band_lower_value,
        band_lower_points,
        band_upper_value,
        band_upper_points,
        -- Nine decimals: the last bits of a sum depend on the order in which it was added up.
        case when reason is null then round(points, 9) end as points,
        case when reason is null and points is null then 'no_band_for_value' else reason end as reason
    from pointed
)

select
    indexed.run_id,
    indexed.period,
    indexed.app_id,
    indexed.indicator_id,
    indexed.family,
    indexed.dimension,
    indexed.title_zh,
    indexed.title_en,
    indexed.metric_id,
    measured.numerator,
    measured.denominator,
    case when decided.points is not null then measured.value end as value,
    decided.points,
    indexed.weight,
    case
        when decided.points is not null then 'scored'
        when not measured.is_applicable and decided.reason = indexed.reason_not_applicable then 'not_applicable'
        else 'withheld'
    end as status,
    decided.reason,
    reason.title_zh
    || case
        when decided.reason = 'portal_days_missing'
            then
                '：' || case measured.portal when 'zheliban' then '浙里办' else '浙政钉' end || '上架'
                || measured.listed_days_count || '天中缺'
                || (measured.listed_days_count - measured.delivered_days_count) || '天，'
                || coalesce(measured.portal_gaps, '')
        when decided.reason = 'app_days_missing'
            then '：' || measured.expected_days_count || '天中只有' || measured.covered_days_count || '天有数据'
        when decided.reason = 'too_few_observations'
            then '：' || measured.observations_count || '，至少需要' || indexed.minimum_observations
        when decided.reason = 'source_not_delivered' then '：' || measured.missing_deliveries
        else ''
    end as reason_zh,
    reason.title_en
    || case
        when decided.reason = 'portal_days_missing'
            then
                ': ' || measured.portal || ', ' || (measured.listed_days_count - measured.delivered_days_count)
                || ' of ' || measured.listed_days_count || ' listed days, ' || coalesce(measured.portal_gaps, '')
        when decided.reason = 'app_days_missing'
            then ': ' || measured.covered_days_count || ' of ' || measured.expected_days_count || ' days have rows'
        when decided.reason = 'too_few_observations'
            then ': ' || measured.observations_count || ', at least ' || indexed.minimum_observations || ' are needed'
        when decided.reason = 'source_not_delivered' then ': ' || measured.missing_deliveries
        else ''
    end as reason_en,
    indexed.scoring_method,
    decided.band_lower_value,
    decided.band_lower_points,
    decided.band_upper_value,
    decided.band_upper_points,
    measured.observations_count,
    measured.covered_days_count,
    measured.expected_days_count,
    indexed.evidence,
    indexed.rule_version
from indexed
inner join measured
    on
        indexed.run_id = measured.run_id
        and indexed.app_id = measured.app_id
        and indexed.indicator_id = measured.indicator_id
inner join decided
    on
        indexed.run_id = decided.run_id
        and indexed.app_id = decided.app_id
        and indexed.indicator_id = decided.indicator_id
left join {{ ref('evaluation_reason') }} as reason on decided.reason = reason.reason_id
