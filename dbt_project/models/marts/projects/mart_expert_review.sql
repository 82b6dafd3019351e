with review as (
    select
        expert_review_id,
        project_id,
        expert_id,
        reviewed_on,
        score,
        avg(score) over (partition by project_id) as project_mean_score,
        count(distinct expert_id) over (partition by project_id) as project_experts_count,
        _is_omitted as is_omitted_by_source
    from {{ ref('stg_project_library__expert_review') }}
)

select
    review.expert_review_id,
    review.project_id,
    project.project_id is not null as is_project_known,
    project.level,
    project.department_id,
    review.expert_id,
    review.reviewed_on,
    cast(review.score as double) as score,
    {{ state_of('review.score') }} as score_state,
    cast(review.project_mean_score as double) as project_mean_score,
    cast(review.score as double) - cast(review.project_mean_score as double) as difference_from_mean_score,
    review.project_experts_count,
    review.is_omitted_by_source
from review
left join {{ ref('dim_project') }} as project on review.project_id = project.project_id
