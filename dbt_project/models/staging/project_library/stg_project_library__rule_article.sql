select
    article_id,
    chapter_number,
    article_title,
    change_kind,
    _is_omitted,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'project_library__rule_article') }}
