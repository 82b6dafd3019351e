select
    month,
    unit_text,
    voucher_number,
    department_name,
    spent_on,
    budget_line,
    project_id,
    summary,
    spent_cny,
    _batch_id,
    _file_id,
    _row_number,
    _business_on
from {{ source('admitted', 'finance__spending') }}
