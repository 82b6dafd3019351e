"""The queries of the facts.

``published`` is the version, ``result`` the run, ``before`` the run compared with, ``rule`` the rules of the run.
"""

from __future__ import annotations

BAND = "case when {of}.status = 'withheld' then 'withheld' else coalesce({of}.stars::varchar, 'none') end"
COUNTS = """
    count(*) as apps_count,
    count(*) filter (stars.stars = 5) as five_count,
    count(*) filter (stars.stars = 4) as four_count,
    count(*) filter (stars.stars = 3) as three_count,
    count(*) filter (stars.stars is null and stars.status = 'scored') as none_count,
    count(*) filter (stars.status = 'withheld') as withheld_count,
    avg(stars.score) as mean_score
"""
# The newest name of the owner department; codes that IRS does not know keep their code.
NAMED = """
    join result.population as population using (app_id)
    left join published.marts.dim_department as department on department.department_id = population.department_id
"""
SYNTHETIC = """
    select bool_or(starts_with(description, '合成数据')) from published.marts.dim_app where description is not null
"""
ISSUER = """
    select department_name from published.marts.dim_department
    where level = ? and department_name like '%大数据%' and is_government_department
    order by department_id limit 1
"""
DISTRIBUTION = (
    f"select {BAND.format(of='stars')} as band, count(*) as apps_count from {{schema}}.app_stars as stars group by all"
)
RANKING = f"""
    select
        case when stars.status = 'scored' then rank() over (order by round(stars.score, 2) desc nulls last) end as rank,
        stars.app_id, population.app_name, population.side, population.family, population.department_id,
        coalesce(department.department_name, population.department_id) as department_name,
        {BAND.format(of="stars")} as band, stars.stars, stars.score, stars.status, stars.reason_zh, stars.reason_en,
        disposition.disposition
    from result.app_stars as stars
    {NAMED}
    left join result.disposition as disposition
        on disposition.subject_kind = 'app' and disposition.app_id = stars.app_id
    order by rank nulls last, stars.app_id
"""
MOVERS = f"""
    with
    now_stars as (
        select app_id, {BAND.format(of="stars")} as band, score, status from result.app_stars as stars
    ),
    earlier as (
        select app_id, {BAND.format(of="stars")} as band, score, status from before.app_stars as stars
    ),
    names as (
        select app_id, app_name, department_id from result.population
        union by name
        select app_id, app_name, department_id from before.population
        where app_id not in (select app_id from result.population)
    )
    select
        app_id, names.app_name, coalesce(department.department_name, names.department_id) as department_name,
        earlier.band as band_before, now_stars.band as band, earlier.score as score_before, now_stars.score,
        now_stars.score - earlier.score as score_change,
        case
            when earlier.app_id is null then 'entered'
            when now_stars.app_id is null then 'left'
            when now_stars.status = 'withheld' then 'withheld'
            when earlier.status = 'withheld' then 'resumed'
            when list_position(['none', '3', '4', '5'], now_stars.band)
                > list_position(['none', '3', '4', '5'], earlier.band) then 'risen'
            else 'fallen'
        end as movement
    from now_stars
    full join earlier using (app_id)
    join names using (app_id)
    left join published.marts.dim_department as department on department.department_id = names.department_id
    where earlier.band is distinct from now_stars.band
    order by
        list_position(['risen', 'fallen', 'withheld', 'resumed', 'entered', 'left'], movement),
        abs(score_change) desc nulls last, app_id
"""
BY = f"""
    select population.{{column}} as part, {COUNTS}
    from result.app_stars as stars
    {NAMED}
    group by population.{{column}}
    order by list_position(
        ['service', 'governance', 'major_application', 'application_system', 'infrastructure', 'operations'], part
    ), part
"""
LOW_USE_APPS = """
    from published.marts.low_use_verdict as verdict
    join published.marts.dim_app as app using (app_id)
    where verdict.verdict in ('low_use', 'unused') and verdict.is_registered and app.level = $level
"""
LOW_USE = f"""
    with
    of_period as (
        select
            verdict.app_id, verdict.portal,
            count(distinct verdict.month) filter (verdict.verdict in ('low_use', 'unused')) as low_months_count,
            count(distinct verdict.month) filter (verdict.verdict in ('low_use', 'unused', 'in_use', 'seasonal'))
                as judged_months_count
        from published.marts.low_use_verdict as verdict
        where verdict.month between $from and $to and verdict.is_registered
        group by all
    )
    select
        app_id, app.app_name, coalesce(department.department_name, app.department_id) as department_name,
        verdict.portal, verdict.verdict, verdict.measure, verdict.measured_value, verdict.threshold_value,
        of_period.low_months_count, of_period.judged_months_count, disposition.disposition,
        verdict.reason_zh, verdict.reason_en
    {LOW_USE_APPS.split("where")[0]}
    join of_period using (app_id, portal)
    left join published.marts.dim_department as department on department.department_id = app.department_id
    left join result.disposition as disposition
        on disposition.subject_kind = 'app' and disposition.app_id = app.app_id
    where {LOW_USE_APPS.split("where")[1]} and verdict.month = $month
    order by verdict.portal, verdict.measured_value nulls last, app_id
"""
LOW_USE_MONTHS = f"""
    select verdict.month, verdict.portal, count(distinct verdict.app_id) as apps_count
    {LOW_USE_APPS} and verdict.month between $from and $to
    group by all
    order by verdict.month, verdict.portal
"""
DISPOSITIONS = """
    select coalesce(disposition, status) as disposition, count(*) as apps_count
    from result.disposition where subject_kind = 'app' group by all order by 1
"""
PROPOSALS = """
    select
        disposition.app_id, disposition.subject_name as app_name,
        coalesce(department.department_name, disposition.department_id) as department_name,
        disposition.disposition, disposition.score, disposition.reasons_zh, disposition.reasons_en
    from result.disposition as disposition
    left join published.marts.dim_department as department on department.department_id = disposition.department_id
    where disposition.subject_kind = 'app' and disposition.disposition in ('shut_down', 'suspend', 'merge', 'transfer')
    order by
        list_position(['shut_down', 'suspend', 'merge', 'transfer'], disposition.disposition),
        disposition.score nulls last, disposition.app_id
"""
REQUESTS = """
    select
        month, sum(new_requests_count) as requests_count,
        sum(new_requests_count) filter (request_kind = 'batch') as batch_count,
        sum(new_requests_count) filter (request_kind = 'interface') as interface_count,
        case when count(*) = count(year_before_requests_count) then sum(year_before_requests_count) end
            as year_before_count
    from published.marts.sharing_request_month
    where month between date_trunc('month', $to::date) - interval 11 month and $to and is_month_complete
    group by all
    order by month
"""
SHARING = """
    with
    of_period as (
        select * from published.marts.sharing_request where applied_at >= $from and applied_at < $to::date + 1
    ),
    year_before as (
        select case when count(*) = count(year_before_requests_count) then sum(year_before_requests_count) end
            as year_before_count
        from published.marts.sharing_request_month where month between $from and $to
    ),
    at_end as (
        select sum(still_open_count) as still_open_count, sum(still_unopened_count) as still_unopened_count
        from published.marts.sharing_request_month where month = date_trunc('month', $to::date)
    )
    select
        count(*) as requests_count,
        count(*) filter (request_kind = 'batch') as batch_count,
        count(*) filter (request_kind = 'interface') as interface_count,
        any_value(year_before.year_before_count) as year_before_count,
        any_value(at_end.still_open_count) as still_open_count,
        any_value(at_end.still_unopened_count) as still_unopened_count,
        median(apply_to_approve_working_days) as approve_median_working_days,
        count(*) filter (is_approved_within_target) as approved_in_time_count,
        count(is_approved_within_target) as approvals_judged_count,
        median(approve_to_open_minutes) as open_median_minutes,
        max(approve_to_open_minutes) as open_longest_minutes,
        max(open_target_minutes) as open_target_minutes,
        min(approve_target_working_days) filter (sharing_kind = 'unconditional') as unconditional_from_working_days,
        max(approve_target_working_days) filter (sharing_kind = 'unconditional') as unconditional_to_working_days,
        min(approve_target_working_days) filter (sharing_kind = 'conditional') as conditional_from_working_days,
        max(approve_target_working_days) filter (sharing_kind = 'conditional') as conditional_to_working_days,
        count(*) filter (is_opened_within_target) as opened_in_time_count,
        count(is_opened_within_target) as openings_judged_count
    from of_period, year_before, at_end
"""
KEY_APPS = """
    select count(*) as apps_count, count(*) filter (has_requested) as asked_count,
        count(*) filter (not has_requested) as not_asked_count,
        count(*) filter (reason_state = 'missing') as without_reason_count
    from published.marts.key_app_sharing where level = ?
"""
KEY_APP_REASONS = """
    select no_sharing_reason as reason, count(*) as apps_count
    from published.marts.key_app_sharing where level = ? and not has_requested
    group by all order by apps_count desc, reason nulls last
"""
LEDGERS = """
    select
        ledger_level, ledger_version, published_on, published_precision, entries_count, first_released_on,
        released_projects_count, released_cny, release_state, publish_to_release_days, publish_to_release_state
    from published.marts.ledger
    order by published_on, ledger_level, ledger_version
"""
LEAD_TIMES = """
    select
        ledger_level, ledger_version, count(*) as projects_count,
        count(first_released_on) as released_count, count(first_arrived_on) as arrived_count,
        count(first_spent_on) as spent_count,
        median(publish_to_release_days) as publish_to_release_days,
        median(release_to_arrive_days) as release_to_arrive_days,
        median(arrive_to_spend_days) as arrive_to_spend_days,
        max(waiting_days) as longest_waiting_days
    from published.marts.funding_lead_time
    where ledger_level = 'city'
    group by all
    order by ledger_version
"""
FUNDING_SHARE = """
    select state, share, count(*) as projects_count, sum(budget_cny) as budget_cny, sum(payable_cny) as payable_cny,
        sum(withheld_cny) as withheld_cny
    from result.funding_share where budget_year = ?
    group by all
    order by state, share desc nulls last
"""
FINDINGS = """
    select * from published.marts.finding
    where list_year = (select max(list_year) from published.marts.finding)
    order by finding_number
"""
DEPARTMENTS = f"""
    with
    little_used as (
        select app.department_id, count(distinct verdict.app_id) as low_use_count
        from published.marts.low_use_verdict as verdict
        join published.marts.dim_app as app using (app_id)
        where verdict.month = $month and verdict.is_registered and verdict.verdict in ('low_use', 'unused')
        group by all
    ),
    counted as (
        select
            population.department_id,
            coalesce(any_value(department.department_name), population.department_id) as department_name, {COUNTS}
        from result.app_stars as stars
        {NAMED}
        group by population.department_id
    )
    select
        case when mean_score is not null then rank() over (order by round(mean_score, 2) desc nulls last) end as rank,
        counted.*, coalesce(low_use_count, 0) as low_use_count, capability.capability_score,
        capability.capability_state
    from counted
    left join little_used using (department_id)
    left join published.marts.department_data_capability as capability using (department_id)
    order by rank nulls last, department_id
"""
PROJECTS = """
    select level, sum(projects_count) as projects_count, sum(budget_cny) as budget_cny
    from published.marts.project_inventory group by all order by level
"""
REASONS = """
    select
        points.reason, coalesce(any_value(known.title_zh), points.reason) as title_zh,
        coalesce(any_value(known.title_en), points.reason) as title_en,
        count(*) as indicators_count, count(distinct points.app_id) as apps_count,
        sum(points.weight) as weight
    from result.indicator_points as points
    left join rule.evaluation_reason as known on known.reason_id = points.reason
    where points.status = ?
    group by points.reason
    order by indicators_count desc, points.reason
"""
LEFT_OUT = """
    select population.scope_reason as reason, any_value(known.title_zh) as title_zh,
        any_value(known.title_en) as title_en, count(*) as apps_count
    from result.population as population
    left join rule.evaluation_reason as known on known.reason_id = population.scope_reason
    where not population.is_in_scope
    group by population.scope_reason
    order by apps_count desc, reason
"""
STALE = "select source, entity, age_days from published.marts.source_freshness where is_stale order by all"
MISSING_PARTS = """
    select kind, source, count(*) as parts_count, any_value(reason_zh) as reason_zh, any_value(reason_en) as reason_en
    from published.marts.withheld_part where kind <> 'rows_quarantined'
    group by all order by kind, source
"""
QUARANTINED = "select sum(rows_count) from published.marts.withheld_part where kind = 'rows_quarantined'"
SUSPICIOUS = """
    select kind, count(*) as flags_count, count(distinct app_id) as apps_count
    from result.suspicious_use where is_in_scope group by all order by kind
"""
