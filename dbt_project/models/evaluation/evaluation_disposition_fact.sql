with round as (
    select distinct
        round.round_id as run_id,
        round.period_start_on,
        round.period_end_on,
        round.cut_off_on,
        round.level,
        cast(round.period_start_on - to_months(
            cast(date_diff('month', round.period_start_on, round.period_end_on) + 1 as integer)
        ) as date) as before_start_on
    from {{ ref('evaluation_population') }} as population
    inner join {{ ref('evaluation_round') }} as round on population.run_id = round.round_id
),

scope as (
    select
        population.run_id,
        population.app_id,
        population.app_name,
        population.side,
        population.department_id,
        case population.side when 'service' then 'zheliban' else 'zhezhengding' end as portal
    from {{ ref('evaluation_population') }} as population
    where population.is_in_scope
),

-- Mean daily use of every app on the portal of its side, in the period and in the one before: partners too.
used as (
    select
        round.run_id,
        usage.app_id,
        usage.portal,
        usage.month >= round.period_start_on as is_period,
        case
            when usage.portal = 'zhezhengding'
                then sum(usage.active_rate_sum) / nullif(sum(usage.active_rate_days_count), 0)
            else sum(usage.visitors_count) / nullif(cast(sum(usage.reported_days_count) as double), 0)
        end as use_a_day,
        sum(usage.visitors_count) as visitors_count
    from round
    inner join {{ ref('mart_portal_usage_month') }} as usage
        on usage.month between round.before_start_on and round.period_end_on
    where usage.portal in ('zheliban', 'zhezhengding')
    group by round.run_id, usage.app_id, usage.portal, is_period
),

use_of_app as (
    select
        run_id,
        app_id,
        portal,
        max(use_a_day) filter (where is_period) as use_a_day,
        max(use_a_day) filter (where not is_period) as use_a_day_before,
        max(visitors_count) filter (where is_period) as visitors_count
    from used
    group by run_id, app_id, portal
),

judged_month as (
    select
        round.run_id,
        verdict.app_id,
        count(*) filter (where verdict.verdict in ('low_use', 'unused')) as low_use_months_count,
        count(*) filter (where verdict.verdict = 'unused') as unused_months_count,
        count(*) filter (where verdict.verdict in ('in_use', 'seasonal', 'low_use', 'unused')) as judged_months_count,
        arg_max(verdict.verdict, verdict.period_start_on) as last_verdict
    from round
    inner join {{ ref('mart_low_use_verdict') }} as verdict
        on verdict.period_start_on between round.period_start_on and round.period_end_on
    where verdict.period_grain = 'month' and verdict.is_registered
    group by round.run_id, verdict.app_id
),

listed_at_cut_off as (
    select
        round.run_id,
        listing.app_id
    from round
    inner join {{ ref('mart_app_listing_history') }} as listing
        on
            round.cut_off_on >= listing.listed_on
            and coalesce(listing.delisted_on, date '9999-12-31') > round.cut_off_on
    where listing.portal <> 'standalone_app'
    group by round.run_id, listing.app_id
),

-- Each pair seen from both of its apps.
partner as (
    select
        first_app_id as app_id,
        second_app_id as partner_app_id,
        second_app_name as partner_name,
        not coalesce(is_same_department, false) as is_elsewhere,
        strength,
        first_covered_share as covered_share,
        shared_matters,
        is_candidate
    from {{ ref('evaluation_merge_candidate') }}
    union all
    select
        second_app_id,
        first_app_id,
        first_app_name,
        not coalesce(is_same_department, false),
        strength,
        second_covered_share,
        shared_matters,
        is_candidate
    from {{ ref('evaluation_merge_candidate') }}
),

weighed_partner as (
    select
        scope.run_id,
        partner.app_id,
        partner.partner_app_id,
        partner.partner_name,
        partner.is_elsewhere,
        partner.strength,
        partner.covered_share,
        partner.shared_matters,
        partner.is_candidate,
        coalesce(partner.covered_share, 0) >= 1 and coalesce(judged_month.last_verdict = 'in_use', false)
            as is_replacement,
        coalesce(partner_use.visitors_count > own_use.visitors_count, false) as is_stronger
    from scope
    inner join partner on scope.app_id = partner.app_id
    left join judged_month
        on scope.run_id = judged_month.run_id and partner.partner_app_id = judged_month.app_id
    left join use_of_app as own_use
        on scope.run_id = own_use.run_id and scope.app_id = own_use.app_id and scope.portal = own_use.portal
    left join use_of_app as partner_use
        on
            scope.run_id = partner_use.run_id
            and partner.partner_app_id = partner_use.app_id
            and scope.portal = partner_use.portal
),

-- The partner to merge into is the most similar one that is better used; else the most similar of all.
best_partner as (
    select
        run_id,
        app_id,
        partner_app_id,
        partner_name,
        is_elsewhere,
        strength,
        covered_share,
        shared_matters,
        is_candidate,
        is_replacement,
        is_stronger
    from weighed_partner
    where is_candidate or is_replacement
    qualify
        row_number() over (
            partition by run_id, app_id
            order by is_candidate desc, is_stronger desc, strength desc, partner_app_id
        ) = 1
),

replaced as (
    select
        run_id,
        app_id,
        bool_or(is_replacement) as is_replaceable
    from weighed_partner
    group by run_id, app_id
),

suspected as (
    select
        run_id,
        app_id,
        count(*) as suspicions_count,
        string_agg(kind, ';' order by kind) as suspicions
    from {{ ref('evaluation_suspicious_use') }}
    group by run_id, app_id
),

app_fact as (
    select
        scope.run_id,
        'app' as subject_kind,
        scope.app_id as subject_id,
        scope.app_id,
        cast(null as varchar) as project_id,
        scope.app_name as subject_name,
        scope.department_id,
        scope.side,
        stars.score,
        cast(case when stars.status = 'scored' then coalesce(stars.stars, 0) end as bigint) as star_level,
        coalesce(stars.status, 'withheld') as score_status,
        use_of_app.use_a_day,
        use_of_app.use_a_day_before,
        use_of_app.use_a_day / nullif(use_of_app.use_a_day_before, 0) - 1 as trend_rate,
        case
            when use_of_app.use_a_day is null or use_of_app.use_a_day_before is null then 'missing'
            when use_of_app.use_a_day_before = 0 then 'not_applicable'
            else 'reported'
        end as trend_state,
        judged_month.low_use_months_count,
        judged_month.unused_months_count,
        judged_month.judged_months_count,
        cast(null as double) as project_rate,
        listed_at_cut_off.app_id is null as is_delisted,
        coalesce(best_partner.is_candidate, false) as is_merge_candidate,
        best_partner.partner_app_id,
        best_partner.partner_name,
        best_partner.strength as merge_strength,
        best_partner.shared_matters,
        coalesce(best_partner.is_stronger, false) as is_partner_stronger,
        coalesce(best_partner.is_elsewhere, false) as is_partner_elsewhere,
        coalesce(replaced.is_replaceable, false) as is_replaceable,
        coalesce(suspected.suspicions_count, 0) as suspicions_count,
        suspected.suspicions,
        cast(null as bigint) as linked_apps_count,
        case when coalesce(stars.status, 'withheld') <> 'scored' then 'score_withheld' end as reason
    from scope
    left join {{ ref('evaluation_app_stars') }} as stars
        on scope.run_id = stars.run_id and scope.app_id = stars.app_id
    left join use_of_app
        on scope.run_id = use_of_app.run_id and scope.app_id = use_of_app.app_id and scope.portal = use_of_app.portal
    left join judged_month on scope.run_id = judged_month.run_id and scope.app_id = judged_month.app_id
    left join listed_at_cut_off
        on scope.run_id = listed_at_cut_off.run_id and scope.app_id = listed_at_cut_off.app_id
    left join best_partner on scope.run_id = best_partner.run_id and scope.app_id = best_partner.app_id
    left join replaced on scope.run_id = replaced.run_id and scope.app_id = replaced.app_id
    left join suspected on scope.run_id = suspected.run_id and scope.app_id = suspected.app_id
),

-- Projects that keep something running: by their own assessment, else by the apps that they run.
operations as (
    select
        round.run_id,
        round.cut_off_on,
        project.project_id,
        project.project_name,
        project.department_id
    from round
    inner join {{ ref('dim_project') }} as project on round.level = project.level
    where
        project.family = 'operations'
        and project.is_in_scope
        and project.stage in ('accepted', 'operating')
        and not coalesce(project.is_omitted_by_source, false)
),

app_of_project as (
    select
        operations.run_id,
        operations.project_id,
        count(*) as linked_apps_count,
        count(*) filter (where link.is_app_known and listed_at_cut_off.app_id is null) as delisted_apps_count,
        -- While the score of one of its apps is withheld, nobody can say that none has stars.
        case
            when max(stars.stars) is not null then max(stars.stars)
            when count(*) filter (where stars.status = 'scored') = count(*) then 0
        end as star_level
    from operations
    inner join {{ ref('mart_project_app_link') }} as link
        on
            operations.project_id = link.project_id
            and coalesce(link.linked_on, date '1970-01-01') <= operations.cut_off_on
            and not coalesce(link.is_omitted_by_source, false)
    left join {{ ref('evaluation_app_stars') }} as stars
        on operations.run_id = stars.run_id and link.app_id = stars.app_id
    left join listed_at_cut_off
        on operations.run_id = listed_at_cut_off.run_id and link.app_id = listed_at_cut_off.app_id
    group by operations.run_id, operations.project_id
),

project_fact as (
    select
        operations.run_id,
        'project' as subject_kind,
        operations.project_id as subject_id,
        cast(null as varchar) as app_id,
        operations.project_id,
        operations.project_name as subject_name,
        operations.department_id,
        cast(null as varchar) as side,
        score.score,
        cast(app_of_project.star_level as bigint) as star_level,
        coalesce(score.status, 'not_assessed') as score_status,
        cast(null as double) as use_a_day,
        cast(null as double) as use_a_day_before,
        cast(null as double) as trend_rate,
        'not_applicable' as trend_state,
        cast(null as bigint) as low_use_months_count,
        cast(null as bigint) as unused_months_count,
        cast(null as bigint) as judged_months_count,
        score.combined_rate as project_rate,
        coalesce(app_of_project.delisted_apps_count = app_of_project.linked_apps_count, false) as is_delisted,
        false as is_merge_candidate,
        cast(null as varchar) as partner_app_id,
        cast(null as varchar) as partner_name,
        cast(null as double) as merge_strength,
        cast(null as varchar) as shared_matters,
        false as is_partner_stronger,
        false as is_partner_elsewhere,
        false as is_replaceable,
        cast(0 as bigint) as suspicions_count,
        cast(null as varchar) as suspicions,
        coalesce(app_of_project.linked_apps_count, 0) as linked_apps_count,
        case
            when score.status = 'withheld' then 'score_withheld'
            when score.project_id is null and app_of_project.project_id is null then 'not_assessed_and_no_app_linked'
            when
                score.project_id is null and app_of_project.star_level is null
                and app_of_project.delisted_apps_count < app_of_project.linked_apps_count
                then 'apps_not_evaluated'
        end as reason
    from operations
    left join {{ ref('evaluation_project_score') }} as score
        on operations.run_id = score.run_id and operations.project_id = score.project_id
    left join app_of_project
        on operations.run_id = app_of_project.run_id and operations.project_id = app_of_project.project_id
)

select
    run_id,
    subject_kind,
    subject_id,
    app_id,
    project_id,
    subject_name,
    department_id,
    side,
    score,
    star_level,
    score_status,
    use_a_day,
    use_a_day_before,
    trend_rate,
    trend_state,
    low_use_months_count,
    unused_months_count,
    judged_months_count,
    project_rate,
    is_delisted,
    is_merge_candidate,
    partner_app_id,
    partner_name,
    merge_strength,
    shared_matters,
    is_partner_stronger,
    is_partner_elsewhere,
    is_replaceable,
    suspicions_count,
    suspicions,
    linked_apps_count,
    reason
from app_fact
union all
select
    run_id,
    subject_kind,
    subject_id,
    app_id,
    project_id,
    subject_name,
    department_id,
    side,
    score,
    star_level,
    score_status,
    use_a_day,
    use_a_day_before,
    trend_rate,
    trend_state,
    low_use_months_count,
    unused_months_count,
    judged_months_count,
    project_rate,
    is_delisted,
    is_merge_candidate,
    partner_app_id,
    partner_name,
    merge_strength,
    shared_matters,
    is_partner_stronger,
    is_partner_elsewhere,
    is_replaceable,
    suspicions_count,
    suspicions,
    linked_apps_count,
    reason
from project_fact
