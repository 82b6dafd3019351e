with score as (
    select
        project_id,
        round,
        assessor_kind,
        indicator_name,
        maximum_points,
        points
    from {{ ref('stg_finance__score_sheet') }}
),

assessed as (
    select distinct
        project_id,
        round
    from score
),

-- Each project evaluated in depth has three assessors; one whose sheet did not come has a row that says so.
expected as (
    select
        project_id,
        round,
        unnest(['self', 'expert', 'third_party']) as assessor_kind
    from assessed
),

summed as (
    select
        project_id,
        round,
        assessor_kind,
        sum(points) as points,
        sum(maximum_points) as maximum_points,
        count(*) as indicators_count,
        count(*) filter (where points is not null and maximum_points is not null) as scored_indicators_count
    from score
    group by project_id, round, assessor_kind
)

select
    expected.round,
    expected.project_id,
    expected.assessor_kind,
    project.project_name,
    project.family,
    project.department_id,
    project.project_id is not null as is_project_known,
    cast(summed.points as double) as points,
    cast(summed.maximum_points as double) as maximum_points,
    -- An indicator without points would lower the rate as if it had been scored 0.
    case
        when summed.scored_indicators_count = summed.indicators_count
            then cast(summed.points as double) / nullif(cast(summed.maximum_points as double), 0)
    end as rate,
    case
        when summed.project_id is null or summed.scored_indicators_count < summed.indicators_count then 'missing'
        when summed.maximum_points = 0 then 'not_applicable'
        else 'reported'
    end as rate_state,
    coalesce(summed.indicators_count, 0) as indicators_count,
    coalesce(summed.scored_indicators_count, 0) as scored_indicators_count
from expected
left join summed
    on
        expected.project_id = summed.project_id
        and expected.round = summed.round
        and expected.assessor_kind = summed.assessor_kind
left join {{ ref('dim_project') }} as project on expected.project_id = project.project_id
