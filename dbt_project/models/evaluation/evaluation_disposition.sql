with fact as (
    select
        fact.run_id,
        fact.subject_kind,
        fact.subject_id,
        fact.app_id,
        fact.project_id,
        fact.subject_name,
        fact.department_id,
        fact.side,
        fact.score,
        fact.star_level,
        fact.score_status,
        fact.use_a_day,
        fact.use_a_day_before,
        fact.trend_rate,
        fact.trend_state,
        fact.low_use_months_count,
        fact.unused_months_count,
        fact.judged_months_count,
        fact.project_rate,
        fact.is_delisted,
        fact.is_merge_candidate,
        fact.partner_app_id,
        fact.partner_name,
        fact.merge_strength,
        fact.shared_matters,
        fact.is_partner_stronger,
        fact.is_partner_elsewhere,
        fact.is_replaceable,
        fact.suspicions_count,
        fact.suspicions,
        fact.linked_apps_count,
        fact.reason,
        round.period,
        round.period_end_on
    from {{ ref('evaluation_disposition_fact') }} as fact
    inner join {{ ref('evaluation_round') }} as round on fact.run_id = round.round_id
),

-- A rule that demands a fact does not fit where the fact is missing: nothing is shut down for missing data.
fitting as (
    select
        fact.run_id,
        fact.subject_kind,
        fact.subject_id,
        rule.rule_id,
        rule.disposition,
        rule.title_zh,
        rule.title_en,
        rule.rule_version
    from fact
    inner join {{ ref('disposition_rule') }} as rule
        on
            fact.subject_kind = rule.applies_to
            and fact.period_end_on >= rule.effective_from
            and fact.period_end_on <= coalesce(rule.effective_to, date '9999-12-31')
            and (rule.minimum_stars is null or fact.star_level >= rule.minimum_stars)
            and (rule.maximum_stars is null or fact.star_level <= rule.maximum_stars)
            and (rule.minimum_low_use_months is null or fact.low_use_months_count >= rule.minimum_low_use_months)
            and (rule.minimum_unused_months is null or fact.unused_months_count >= rule.minimum_unused_months)
            and (rule.maximum_trend_rate is null or fact.trend_rate <= rule.maximum_trend_rate)
            and (rule.minimum_project_rate is null or round(fact.project_rate, 9) >= rule.minimum_project_rate)
            and (rule.maximum_project_rate is null or round(fact.project_rate, 9) < rule.maximum_project_rate)
            and (rule.is_delisted is null or fact.is_delisted = rule.is_delisted)
            and (rule.is_merge_candidate is null or fact.is_merge_candidate = rule.is_merge_candidate)
            and (rule.is_partner_stronger is null or fact.is_partner_stronger = rule.is_partner_stronger)
            and (rule.is_partner_elsewhere is null or fact.is_partner_elsewhere = rule.is_partner_elsewhere)
            and (rule.is_replaceable is null or fact.is_replaceable = rule.is_replaceable)
    where fact.reason is null
    qualify
        row_number() over (
            partition by fact.run_id, fact.subject_kind, fact.subject_id order by rule.priority, rule.rule_id
        ) = 1
)

select
    fact.run_id,
    fact.period,
    fact.subject_kind,
    fact.subject_id,
    fact.app_id,
    fact.project_id,
    fact.subject_name,
    fact.department_id,
    fitting.disposition,
    case
        when fitting.rule_id is not null then 'proposed'
        when fact.reason in ('score_withheld', 'apps_not_evaluated') or fact.reason is null then 'withheld'
        else 'not_applicable'
    end as status,
    case when fitting.rule_id is null then coalesce(fact.reason, 'no_rule_fits') end as reason,
    fitting.rule_id,
    case
        when fact.reason = 'score_withheld' then '评分暂缓，不作处置建议'
        when fact.reason = 'not_assessed_and_no_app_linked' then '未开展评价且无关联应用，不作处置建议'
        when fact.reason = 'apps_not_evaluated' then '关联应用未全部评分，不作处置建议'
        when fitting.rule_id is null then '没有适用的规则，不作处置建议'
        else fitting.title_zh
    end
    || case when fact.score is not null then '；得分' || round(fact.score, 2) else '' end
    || case
        when fact.star_level is null then ''
        when fact.star_level = 0 then '，未达星级'
        else '，' || fact.star_level || '星'
    end
    || case
        when fact.judged_months_count is not null
            then
                '；' || fact.judged_months_count || '个月作出使用判定，其中低频' || fact.low_use_months_count || '个月'
                || '（无人使用' || fact.unused_months_count || '个月）'
        else ''
    end
    || case
        when fact.use_a_day is null then ''
        when fact.side = 'governance' then '；日均活跃率' || round(100 * fact.use_a_day, 1) || '%'
        else '；日均访客' || round(fact.use_a_day, 1)
    end
    || case
        when fact.trend_state = 'reported' then '，较上一周期' || printf('%+.1f', 100 * fact.trend_rate) || '%'
        when fact.trend_state = 'missing' and fact.subject_kind = 'app' then '；上一周期或本周期无数据，趋势缺失'
        else ''
    end
    || case when fact.is_delisted then '；截止日已全部下架' else '' end
    || case
        when fact.partner_app_id is not null
            then
                '；与“' || coalesce(fact.partner_name, fact.partner_app_id) || '”重复强度'
                || round(fact.merge_strength, 2)
                || coalesce('（' || fact.shared_matters || '）', '')
                || case when fact.is_partner_stronger then '，对方访客更多' else '，本应用访客不少于对方' end
        else ''
    end
    || case when fact.is_replaceable then '；事项可由在用的其他应用替代' else '' end
    || coalesce('；综合得分率' || round(100 * fact.project_rate, 1) || '%', '')
    || case when fact.suspicions_count > 0 then '；提示：' || fact.suspicions_count || '项使用异常待核实' else '' end
        as reasons_zh,
    case
        when fact.reason = 'score_withheld' then 'The score is withheld, so nothing is proposed'
        when
            fact.reason = 'not_assessed_and_no_app_linked'
            then 'Not assessed and no app linked, so nothing is proposed'
        when fact.reason = 'apps_not_evaluated' then 'Not all of its apps are scored, so nothing is proposed'
        when fitting.rule_id is null then 'No rule fits, so nothing is proposed'
        else fitting.title_en
    end
    || case when fact.score is not null then '; score ' || round(fact.score, 2) else '' end
    || case
        when fact.star_level is null then ''
        when fact.star_level = 0 then ', no stars'
        else ', ' || fact.star_level || ' stars'
    end
    || case
        when fact.judged_months_count is not null
            then
                '; ' || fact.judged_months_count || ' months judged, little used in ' || fact.low_use_months_count
                || ' (unused in ' || fact.unused_months_count || ')'
        else ''
    end
    || case
        when fact.use_a_day is null then ''
        when fact.side = 'governance' then '; ' || round(100 * fact.use_a_day, 1) || ' % of the users active a day'
        else '; ' || round(fact.use_a_day, 1) || ' visitors a day'
    end
    || case
        when fact.trend_state = 'reported'
            then ', ' || printf('%+.1f', 100 * fact.trend_rate) || ' % against the period before'
        when fact.trend_state = 'missing' and fact.subject_kind = 'app'
            then '; no data for this period or the one before: trend missing'
        else ''
    end
    || case when fact.is_delisted then '; off every portal at the cut-off' else '' end
    || case
        when fact.partner_app_id is not null
            then
                '; like ' || coalesce(fact.partner_name, fact.partner_app_id) || ' with strength '
                || round(fact.merge_strength, 2) || coalesce(' (' || fact.shared_matters || ')', '')
                || ', which has ' || case when fact.is_partner_stronger then '' else 'no ' end || 'more visitors'
        else ''
    end
    || case when fact.is_replaceable then '; another app in use covers its matters' else '' end
    || coalesce('; rated ' || round(100 * fact.project_rate, 1) || ' %', '')
    || case
        when fact.suspicions_count > 0 then '; note: ' || fact.suspicions_count || ' suspicions of its use to check'
        else ''
    end
        as reasons_en,
    fact.score,
    cast(fact.star_level as bigint) as star_level,
    fact.use_a_day,
    fact.use_a_day_before,
    fact.trend_rate,
    fact.trend_state,
    fact.low_use_months_count,
    fact.unused_months_count,
    fact.judged_months_count,
    fact.project_rate,
    fact.is_delisted,
    fact.is_merge_candidate,
    fact.partner_app_id,
    fact.merge_strength,
    fact.is_partner_stronger,
    fact.is_partner_elsewhere,
    fact.is_replaceable,
    fact.suspicions_count,
    fact.suspicions,
    fact.linked_apps_count,
    coalesce(fitting.rule_version, 'none') as rule_version
from fact
left join fitting
    on
        fact.run_id = fitting.run_id
        and fact.subject_kind = fitting.subject_kind
        and fact.subject_id = fitting.subject_id
