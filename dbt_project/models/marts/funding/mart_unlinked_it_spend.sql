with unlinked as (
    select
        voucher_number,
        month,
        department_name,
        department_id,
        spent_on,
        budget_line,
        project_id,
        project_match,
        summary,
        spent_cny
    from {{ ref('int_spending_line') }}
    where project_match <> 'known_project'
),

-- The same few texts come again and again: match each once.
text as (
    select distinct
        spent_on,
        summary,
        budget_line
    from unlinked
),

matched as (
    select
        text.spent_on,
        text.summary,
        text.budget_line,
        keyword.keyword_id,
        keyword.pattern,
        keyword.matched_column,
        keyword.effect,
        keyword.rule_version,
        keyword.source
    from text
    inner join {{ ref('it_spend_keyword') }} as keyword
        on
            lower(case keyword.matched_column when 'summary' then text.summary else text.budget_line end)
            like lower(keyword.pattern)
            and text.spent_on >= keyword.effective_from
            and text.spent_on <= coalesce(keyword.effective_to, date '9999-12-31')
),

-- The longest pattern is the most telling one.
verdict as (
    select
        spent_on,
        summary,
        budget_line,
        first(keyword_id order by length(pattern) desc, keyword_id) as keyword_id,
        first(pattern order by length(pattern) desc, keyword_id) as matched_pattern,
        first(matched_column order by length(pattern) desc, keyword_id) as matched_column,
        first(rule_version order by length(pattern) desc, keyword_id) as rule_version,
        first(source order by length(pattern) desc, keyword_id) as keyword_source,
        count(*) as matching_keywords_count
    from matched
    group by spent_on, summary, budget_line
    having bool_and(effect = 'include')
)

select
    unlinked.voucher_number,
    unlinked.month,
    unlinked.department_name,
    unlinked.department_id,
    {{ state_of('unlinked.department_id') }} as department_state,
    unlinked.spent_on,
    unlinked.budget_line,
    unlinked.project_id,
    unlinked.project_match,
    unlinked.summary,
    unlinked.spent_cny,
    verdict.keyword_id,
    verdict.matched_pattern,
    verdict.matched_column,
    verdict.matching_keywords_count,
    verdict.keyword_source,
    verdict.rule_version
from unlinked
inner join verdict
    on
        unlinked.spent_on = verdict.spent_on
        and unlinked.summary is not distinct from verdict.summary
        and unlinked.budget_line is not distinct from verdict.budget_line
