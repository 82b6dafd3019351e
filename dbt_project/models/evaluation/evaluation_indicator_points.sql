with indexed as (
    select
        population.run_id,
        population.period,
        population.app_id,
        population.side,
        round.period_end_on,
        indicator.indicator_id,
        indicator.weight,
        indicator.scoring_method,
        indicator.rule_version
    from {{ ref('evaluation_population') }} as population
    inner join {{ ref('evaluation_round') }} as round on population.run_id = round.round_id
    inner join {{ ref('indicator') }} as indicator
        on
            round.period_end_on >= indicator.effective_from
            and round.period_end_on <= coalesce(indicator.effective_to, date '9999-12-31')
    where population.is_in_scope
),

measured as (
    select
        indexed.run_id,
        indexed.period,
        indexed.app_id,
        indexed.side,
        indexed.period_end_on,
        indexed.indicator_id,
        indexed.weight,
        indexed.scoring_method,
        indexed.rule_version,
        measure.numerator,
        measure.denominator,
        measure.value,
        case
            when measure.app_id is null then 'indicator_without_measure'
            when measure.numerator is null or measure.denominator is null then 'data_missing'
            when measure.denominator = 0 then measure.reason_without_denominator
        end as reason
    from indexed
    left join {{ ref('evaluation_indicator_measure') }} as measure
        on
            indexed.run_id = measure.run_id
            and indexed.app_id = measure.app_id
            and indexed.indicator_id = measure.indicator_id
),

-- The knots of a curve, each with the one after it.
band as (
    select
        indicator_id,
        applies_to,
        lower_value,
        points,
        effective_from,
        effective_to,
        lead(lower_value) over knots as upper_value,
        lead(points) over knots as upper_points
    from {{ ref('scoring_band') }}
    window knots as (
        partition by indicator_id, applies_to, effective_from order by lower_value
    )
),

banded as (
    select
        measured.run_id,
        measured.app_id,
        measured.indicator_id,
        band.points,
        band.lower_value,
        band.upper_value,
        band.upper_points
    from measured
    inner join band
        on
            measured.indicator_id = band.indicator_id
            and band.applies_to in ('all', measured.side)
            and measured.period_end_on >= band.effective_from
            and measured.period_end_on <= coalesce(band.effective_to, date '9999-12-31')
            and measured.value >= band.lower_value
            and (measured.value < band.upper_value or band.upper_value is null)
),

pointed as (
    select
        measured.run_id,
        measured.period,
        measured.app_id,
        measured.indicator_id,
        measured.numerator,
        measured.denominator,
        measured.value,
        measured.reason,
        measured.weight,
        measured.scoring_method,
        measured.rule_version,
        case measured.scoring_method
            when 'pro_rata' then least(greatest(measured.value, 0), 1) * measured.weight
            when 'step' then banded.points
            when 'piecewise'
                then banded.points + case
                    when banded.upper_value is null then 0
                    else
                        (banded.upper_points - banded.points) * (measured.value - banded.lower_value)
                        / (banded.upper_value - banded.lower_value)
                end
            -- Here a band's points are what one breach costs, as a negative number.
            when 'deduction' then greatest(measured.weight + measured.value * coalesce(banded.points, 0), 0)
        end as points
    from measured
    left join banded
        on
            measured.run_id = banded.run_id
            and measured.app_id = banded.app_id
            and measured.indicator_id = banded.indicator_id
)

select
    run_id,
    period,
    app_id,
    indicator_id,
    numerator,
    denominator,
    case when reason is null then value end as value,
    case when reason is null then points end as points,
    weight,
    case
        when reason is null and points is not null then 'scored'
        when reason = 'nothing_started' then 'not_applicable'
        else 'withheld'
    end as status,
    case when reason is null and points is null then 'no_band_for_value' else reason end as reason,
    scoring_method,
    rule_version
from pointed
