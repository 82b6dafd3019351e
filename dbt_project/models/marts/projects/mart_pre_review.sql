with review as (
    select
        pre_review_id,
        project_id,
        reviewed_on,
        outcome,
        requested_cny,
        approved_cny,
        row_number() over (partition by project_id order by reviewed_on, pre_review_id) as review_number,
        row_number() over (partition by project_id order by reviewed_on desc, pre_review_id desc) = 1 as is_latest,
        _is_omitted as is_omitted_by_source
    from {{ ref('stg_project_library__pre_review') }}
)

select
    review.pre_review_id,
    review.project_id,
    project.project_id is not null as is_project_known,
    project.level,
    project.department_id,
    review.reviewed_on,
    review.review_number,
    review.is_latest,
    review.outcome,
    {{ cny('review.requested_cny') }} as requested_cny,
    {{ state_of('review.requested_cny') }} as requested_state,
    {{ cny('review.approved_cny') }} as approved_cny,
    case
        when review.approved_cny is null and review.outcome = 'rejected' then 'not_applicable'
        else {{ state_of('review.approved_cny') }}
    end as approved_state,
    {{ cny('review.requested_cny - review.approved_cny') }} as reduced_cny,
    date_diff('day', project.declared_on, review.reviewed_on) as declared_to_reviewed_days,
    money.first_released_on,
    review.reviewed_on <= money.first_released_on as is_before_release,
    case
        when project.project_id is null then 'missing'
        when money.first_released_on is null then 'not_applicable'
        else 'reported'
    end as before_release_state,
    review.is_omitted_by_source
from review
left join {{ ref('dim_project') }} as project on review.project_id = project.project_id
left join {{ ref('int_project_money') }} as money on review.project_id = money.project_id
