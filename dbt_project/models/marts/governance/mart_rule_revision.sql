select
    article_id,
    chapter_number,
    article_title,
    change_kind,
    change_kind <> 'removed' as is_in_revised_rules,
    change_kind <> 'added' as is_in_former_rules,
    _is_omitted as is_omitted_by_source
from {{ ref('stg_project_library__rule_article') }}
