select
    notice.security_notice_id,
    notice.app_id,
    app.app_name,
    app.department_id,
    notice.noticed_on,
    notice.notice_kind,
    notice.reported_by,
    notice.due_on,
    notice.mended_on,
    case
        when notice.mended_on is not null then 'reported'
        when notice.due_on < clock.as_of_on then 'missing'
        else 'not_applicable'
    end as mended_state,
    coalesce(notice.mended_on, clock.as_of_on) > notice.due_on as is_overdue,
    cast(greatest(coalesce(notice.mended_on, clock.as_of_on) - notice.due_on, 0) as bigint) as overdue_days_count
from {{ ref('stg_irs__security_notice') }} as notice
left join {{ ref('stg_irs__app') }} as app on notice.app_id = app.app_id
cross join {{ ref('int_as_of') }} as clock
