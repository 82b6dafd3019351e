{# What the findings of the audit are measured by. Defined here once: int_finding_measure runs it for every complete
   month since the findings were made, marts.finding_metric prints it. Which finding a metric belongs to and what it is
   to reach are dated rows of the seed finding_target. A changed meaning gets a new id.

   A metric reads one mart (`fact`), and where it must others (`joins`). `filter` says which
   rows belong to the month (`period`), `value` what is made of them. `upper` is the most that the value may still turn
   out to be when some members could not be judged (unless said: the value; null: nobody knows). `counted` picks the
   rows that make the value: the evidence, each by the columns of `key`.

   `dated_from` is the day from which the facts are: `month` (all facts are of the month), `month_end` (a state on its
   last day), or an expression. Facts that are not from after the remedy neither close a finding nor reopen it.
   `observations` counts what the value rests on; none of it means missing, or, with `without_observations:
   not_applicable`, that nothing happened that could be judged. `observed` counts rows of another mart instead, where
   the first holds only what is wrong. `portal` must have delivered in the month, `entities` up to its last day. #}
{% macro finding_metrics() -%}
{%- set in_month = "fact.month = period.period_start_on" -%}
{%- set is_low = "fact.verdict in ('low_use', 'unused')" -%}
{%- set not_judged = "fact.verdict in ('collector_outage', 'not_measured')" -%}
{%- set round_end = "last_day(make_date(try_cast(left(fact.round, 4) as integer), 3 * try_cast(regexp_extract(fact.round, 'Q([1-4])$', 1) as integer), 1))" -%}
{%- set is_waiting = "greatest(fact.published_on, other.declared_on) + cast(period.release_after_ledger_days as integer) < period.period_end_on and coalesce(fact.first_released_on, date '9999-12-31') > period.period_end_on" -%}
{%- set is_quiet = "fact.visitors_count < period.low_use_daily_visitors * fact.days_reported_count" -%}
{%- set is_listed_still = "other.listed_on <= period.period_end_on and coalesce(other.delisted_on, date '9999-12-31') > period.period_end_on" -%}
{%- set is_of_ended_round = "other.period_end_on <= period.period_end_on" -%}
{{ return([
    {
        'metric_id': 'declared_projects_linked_rate', 'unit': 'rate',
        'title_zh': '当月申报的市级应用类项目中已关联IRS应用的占比',
        'title_en': 'City application projects declared in the month that are linked to an IRS app by its end',
        'mart': 'dim_project', 'key': ['project_id'],
        'filter': "fact.level = 'city' and fact.is_in_scope and fact.family in ('major_application', 'application_system') and fact.declared_on between period.period_start_on and period.period_end_on",
        'joins': [{'model': 'mart_project_app_link', 'alias': 'other', 'on': "fact.project_id = other.project_id and other.is_app_known and other.linked_on <= period.period_end_on"}],
        'value': "count(distinct other.project_id) / nullif(cast(count(distinct fact.project_id) as double), 0)",
        'counted': "other.project_id is null",
        'observations': "count(distinct fact.project_id)", 'without_observations': 'not_applicable',
        'dated_from': 'month', 'entities': ['project_library.project', 'project_library.app_link']
    },
    {
        'metric_id': 'acceptance_overdue_rate', 'unit': 'rate',
        'title_zh': '未验收项目中已超计划验收日期的占比',
        'title_en': 'Projects not yet accepted at the end of the month whose acceptance is overdue',
        'mart': 'mart_project_life_cycle', 'key': ['project_id', 'stage'],
        'filter': "fact.stage = 'accepted' and not fact.is_turned_down and coalesce(fact.entered_on, date '9999-12-31') > period.period_end_on",
        'joins': [{'model': 'dim_project', 'alias': 'other', 'on': "fact.project_id = other.project_id and other.declared_on <= period.period_end_on"}],
        'value': "count(other.project_id) filter (where fact.due_on <= period.period_end_on) / nullif(cast(count(other.project_id) as double), 0)",
        'counted': "other.project_id is not null and fact.due_on <= period.period_end_on",
        'observations': "count(other.project_id)",
        'dated_from': 'month_end', 'entities': ['project_library.project', 'project_library.stage_event']
    },
    {
        'metric_id': 'unlinked_it_spend_cny', 'unit': 'cny',
        'title_zh': '当月疑似信息化但未关联在库项目的支出',
        'title_en': 'Spending of the month that looks like IT and names no project of the library',
        'mart': 'mart_unlinked_it_spend', 'key': ['voucher_number', 'month'],
        'filter': in_month,
        'value': "coalesce(sum(fact.spent_cny), 0)",
        'observed': 'mart_spending_month', 'observed_column': 'month', 'observed_filter': "seen.month = period.period_start_on",
        'dated_from': 'month', 'entities': ['project_library.project']
    },
    {
        'metric_id': 'ledger_projects_waiting', 'unit': 'projects',
        'title_zh': '一本账发布后超期未下达资金的项目',
        'title_en': 'Projects of a published ledger that have waited longer than the limit for their money',
        'mart': 'mart_funding_lead_time', 'key': ['ledger_level', 'ledger_version', 'project_id'],
        'filter': "fact.released_state <> 'not_applicable'",
        'joins': [{'model': 'dim_project', 'alias': 'other', 'on': "fact.project_id = other.project_id"}],
        'value': "count(fact.project_id) filter (where " ~ is_waiting ~ ")",
        'counted': is_waiting,
        'observations': "count(fact.project_id) filter (where greatest(fact.published_on, other.declared_on) <= period.period_end_on)",
        'dated_from': 'month_end', 'entities': ['finance.ledger_entry', 'finance.budget_release', 'project_library.project']
    },
    {
        'metric_id': 'ledger_release_days', 'unit': 'days',
        'title_zh': '最近一次市一本账发布到项目下达的天数',
        'title_en': 'Days from the newest city ledger to the first release of its projects; so far, when none was released',
        'mart': 'mart_ledger', 'key': ['ledger_level', 'ledger_version'],
        'filter': "fact.ledger_level = 'city' and fact.published_precision = 'day' and fact.published_on <= period.period_end_on",
        'value': "arg_max(least(coalesce(fact.first_released_on, period.period_end_on), period.period_end_on) - fact.published_on, fact.published_on)",
        'upper': "arg_max_null(case when fact.first_released_on <= period.period_end_on then fact.first_released_on - fact.published_on end, fact.published_on)",
        'dated_from': "arg_max(least(coalesce(fact.first_released_on, period.period_end_on), period.period_end_on), fact.published_on)",
        'observations': "count(fact.ledger_version)",
        'entities': ['finance.ledger_entry', 'finance.budget_release']
    },
    {
        'metric_id': 'key_apps_without_request', 'unit': 'apps',
        'title_zh': '未申请数据共享的重点应用', 'title_en': 'Key apps that have asked for no data by the end of the month',
        'mart': 'mart_key_app_sharing', 'key': ['app_id'],
        'filter': "true",
        'value': "count(fact.app_id) filter (where coalesce(fact.first_requested_on, date '9999-12-31') > period.period_end_on)",
        'counted': "coalesce(fact.first_requested_on, date '9999-12-31') > period.period_end_on",
        'observations': "count(fact.app_id)",
        'dated_from': 'month_end', 'entities': ['irs.app', 'irs.sharing_request']
    },
    {
        'metric_id': 'longest_open_minutes', 'unit': 'minutes',
        'title_zh': '当月审批通过到数据开通的最长时间',
        'title_en': 'Longest time from approval to opened data among the requests approved in the month',
        'mart': 'mart_sharing_request', 'key': ['sharing_request_id'],
        'filter': "cast(fact.approved_at as date) between period.period_start_on and period.period_end_on",
        'value': "max(coalesce(fact.approve_to_open_minutes, fact.unopened_minutes))",
        'upper': "case when count(fact.sharing_request_id) = count(fact.approve_to_open_minutes) then max(fact.approve_to_open_minutes) end",
        'counted': "fact.is_opened_within_target is not true",
        'observations': "count(fact.sharing_request_id)", 'without_observations': 'not_applicable',
        'dated_from': 'month', 'entities': ['irs.sharing_request']
    },
    {
        'metric_id': 'sharing_growth_rate', 'unit': 'rate',
        'title_zh': '近两个月新增共享申请同比增长',
        'title_en': 'Growth of new sharing requests of two months over the same months a year before',
        'mart': 'mart_sharing_request_month', 'key': ['month', 'request_kind'],
        'filter': "fact.is_month_complete and fact.month between cast(period.period_start_on - interval 1 month as date) and period.period_start_on",
        'value': "case when count(fact.year_before_requests_count) = count(fact.month) and count(distinct fact.month) = 2 then sum(fact.new_requests_count) / nullif(cast(sum(fact.year_before_requests_count) as double), 0) - 1 end",
        'observations': "count(fact.month)",
        'dated_from': "min(fact.month)", 'entities': ['irs.sharing_request']
    },
    {
        'metric_id': 'low_use_zheliban_apps', 'unit': 'apps',
        'title_zh': '日均访问人数低的浙里办应用', 'title_en': 'Zheliban apps with few daily visitors in the month',
        'mart': 'mart_low_use_verdict', 'key': ['app_id', 'portal', 'period_grain', 'period_start_on'],
        'filter': in_month ~ " and fact.is_registered and fact.period_grain = 'month' and fact.portal = 'zheliban'",
        'value': "count(fact.app_id) filter (where " ~ is_low ~ ")",
        'upper': "count(fact.app_id) filter (where " ~ is_low ~ " or " ~ not_judged ~ ")",
        'counted': is_low, 'observations': "count(fact.app_id)",
        'dated_from': 'month', 'portal': 'zheliban', 'entities': ['zheliban.usage', 'irs.app', 'irs.listing_event']
    },
    {
        'metric_id': 'weak_share_apps', 'unit': 'apps',
        'title_zh': '浙里办使用较独立APP差距较大的应用',
        'title_en': 'Apps with a matter that is used far more through their own APP than through zheliban',
        'mart': 'mart_channel_share_month', 'key': ['app_id', 'matter_id', 'month'],
        'filter': in_month ~ " and fact.matter_id <> ''",
        'value': "count(distinct fact.app_id) filter (where fact.is_weak)",
        'upper': "count(distinct fact.app_id) filter (where coalesce(fact.is_weak, true))",
        'counted': "fact.is_weak", 'observations': "count(fact.app_id)",
        'dated_from': 'month', 'portal': 'zheliban', 'entities': ['zheliban.usage']
    },
    {
        'metric_id': 'modules_without_data', 'unit': 'modules',
        'title_zh': '应用有数据而自身无数据的模块', 'title_en': 'Modules that sent nothing in the month though their app did',
        'mart': 'mart_missing_module_data', 'key': ['app_id', 'module_id', 'portal', 'month'],
        'filter': in_month,
        'value': "count(fact.module_id) filter (where fact.gap_kind = 'module_without_data')",
        'upper': "count(fact.module_id)",
        'counted': "fact.gap_kind = 'module_without_data'",
        'observed': 'mart_matter_usage_month', 'observed_column': 'month', 'observed_filter': "seen.month = period.period_start_on",
        'dated_from': 'month', 'portal': 'zheliban', 'entities': ['zheliban.usage', 'zhezhengding.usage', 'irs.module']
    },
    {
        'metric_id': 'assigned_ends_not_adapted', 'unit': 'release_ends',
        'title_zh': '省定应用尚未适配的发布端',
        'title_en': 'Ends of the province-assigned apps on which the app was never listed by the end of the month',
        'mart': 'mart_app_end_coverage', 'key': ['app_id', 'release_end'],
        'filter': "fact.is_province_assigned",
        'value': "count(fact.app_id) filter (where coalesce(fact.first_listed_on, date '9999-12-31') > period.period_end_on)",
        'counted': "coalesce(fact.first_listed_on, date '9999-12-31') > period.period_end_on",
        'observations': "count(fact.app_id)",
        'dated_from': 'month_end', 'entities': ['irs.app', 'irs.listing_event']
    },
    {
        'metric_id': 'low_use_scenes', 'unit': 'scenes',
        'title_zh': '日均访客低于低频界限的场景',
        'title_en': 'Scenes of future communities and villages with fewer visitors a day than the low-use limit',
        'mart': 'mart_scene_use_month', 'key': ['future_unit_id', 'scene_id', 'month'],
        'filter': in_month,
        'value': "count(fact.scene_id) filter (where " ~ is_quiet ~ ")",
        'upper': "count(fact.scene_id) filter (where fact.visitors_count is null or fact.days_reported_count = 0 or " ~ is_quiet ~ ")",
        'counted': is_quiet, 'observations': "count(fact.scene_id)",
        'dated_from': 'month', 'portal': 'zheliban', 'entities': ['zheliban.usage', 'irs.future_unit', 'irs.module']
    },
    {
        'metric_id': 'scene_click_through_rate', 'unit': 'rate',
        'title_zh': '场景点击率', 'title_en': 'Clicks over impressions of the scenes in the month',
        'mart': 'mart_scene_use_month', 'key': ['future_unit_id', 'scene_id', 'month'],
        'filter': in_month ~ " and fact.click_through_state = 'reported'",
        'value': "sum(fact.clicks_count) / nullif(cast(sum(fact.impressions_count) as double), 0)",
        'observations': "count(fact.scene_id)",
        'dated_from': 'month', 'portal': 'zheliban', 'entities': ['zheliban.usage', 'irs.future_unit', 'irs.module']
    },
    {
        'metric_id': 'units_with_standard_app', 'unit': 'units',
        'title_zh': '标准化应用在架的未来社区与未来乡村',
        'title_en': 'Future communities and villages whose standard app was listed in the month',
        'mart': 'mart_scene_use_month', 'key': ['future_unit_id', 'scene_id', 'month'],
        'filter': in_month ~ " and fact.listed_days_count > 0",
        'value': "count(distinct fact.future_unit_id)",
        'observations': "count(fact.scene_id)",
        'dated_from': 'month', 'portal': 'zheliban', 'entities': ['irs.future_unit', 'irs.module', 'irs.listing_event']
    },
    {
        'metric_id': 'low_use_zhezhengding_apps', 'unit': 'apps',
        'title_zh': '使用率较低的浙政钉应用', 'title_en': 'Zhezhengding apps hardly used in the month',
        'mart': 'mart_low_use_verdict', 'key': ['app_id', 'portal', 'period_grain', 'period_start_on'],
        'filter': in_month ~ " and fact.is_registered and fact.period_grain = 'month' and fact.portal = 'zhezhengding'",
        'value': "count(fact.app_id) filter (where " ~ is_low ~ ")",
        'upper': "count(fact.app_id) filter (where " ~ is_low ~ " or " ~ not_judged ~ ")",
        'counted': is_low, 'observations': "count(fact.app_id)",
        'dated_from': 'month', 'portal': 'zhezhengding', 'entities': ['zhezhengding.usage', 'irs.app', 'irs.listing_event']
    },
    {
        'metric_id': 'listed_without_review', 'unit': 'apps',
        'title_zh': '未经上架评审而上架的治理侧应用', 'title_en': 'Governance apps first listed in the month without a passed listing review',
        'mart': 'dim_app', 'key': ['app_id'],
        'filter': "fact.side = 'governance' and fact.first_listed_on between period.period_start_on and period.period_end_on",
        'value': "count(fact.app_id) filter (where not fact.has_passed_listing_review)",
        'upper': "count(fact.app_id) filter (where fact.has_passed_listing_review is not true)",
        'counted': "fact.has_passed_listing_review is not true",
        'observations': "count(fact.app_id)", 'without_observations': 'not_applicable',
        'dated_from': 'month', 'entities': ['irs.app', 'irs.listing_event']
    },
    {
        'metric_id': 'components_listed', 'unit': 'components',
        'title_zh': '已上架组件', 'title_en': 'Components listed by the end of the month',
        'mart': 'mart_component', 'key': ['component_id'],
        'filter': "true",
        'value': "count(fact.component_id) filter (where fact.listed_on <= period.period_end_on)",
        'counted': "fact.listed_on <= period.period_end_on",
        'observations': "count(fact.component_id)",
        'dated_from': 'month_end', 'entities': ['irs.component']
    },
    {
        'metric_id': 'implemented_without_pre_review', 'unit': 'projects',
        'title_zh': '当月未经预审即进入实施的项目', 'title_en': 'Projects that began to be implemented in the month without a passed pre-review',
        'mart': 'mart_project_life_cycle', 'key': ['project_id', 'stage'],
        'filter': "fact.stage = 'implementing' and fact.entered_on between period.period_start_on and period.period_end_on",
        'joins': [{'model': 'mart_pre_review', 'alias': 'other', 'on': "fact.project_id = other.project_id and other.outcome <> 'rejected' and other.reviewed_on <= fact.entered_on"}],
        'value': "count(distinct fact.project_id) filter (where other.project_id is null)",
        'counted': "other.project_id is null",
        'observations': "count(fact.project_id)", 'without_observations': 'not_applicable',
        'dated_from': 'month', 'entities': ['project_library.stage_event', 'project_library.pre_review']
    },
    {
        'metric_id': 'scope_disagreements', 'unit': 'projects',
        'title_zh': '当月申报项目中项目库范围与主管单位类型不符的项目',
        'title_en': 'Projects declared in the month whose scope in the library disagrees with the kind of their owner',
        'mart': 'dim_project', 'key': ['project_id'],
        'filter': "fact.declared_on between period.period_start_on and period.period_end_on",
        'value': "count(fact.project_id) filter (where fact.is_in_scope <> fact.is_in_scope_by_library)",
        'upper': "count(fact.project_id) filter (where coalesce(fact.is_in_scope <> fact.is_in_scope_by_library, true))",
        'counted': "fact.is_in_scope <> fact.is_in_scope_by_library",
        'observations': "count(fact.project_id)", 'without_observations': 'not_applicable',
        'dated_from': 'month', 'entities': ['project_library.project', 'irs.department']
    },
    {
        'metric_id': 'counties_in_library', 'unit': 'districts',
        'title_zh': '项目库已贯通的区县', 'title_en': 'Counties with projects in the library by the end of the month',
        'mart': 'dim_project', 'key': ['project_id'],
        'filter': "fact.level = 'county' and fact.declared_on <= period.period_end_on",
        'value': "count(distinct fact.district_code)",
        'observations': "count(fact.project_id)",
        'dated_from': 'month_end', 'entities': ['project_library.project']
    },
    {
        'metric_id': 'apps_without_evaluation', 'unit': 'apps',
        'title_zh': '已结束评价轮次中未得出结果的应用', 'title_en': 'Apps in scope of a round that has ended, without a result',
        'mart': 'evaluation_app_stars', 'key': ['run_id', 'app_id'],
        'filter': "true", 'joins': [{'model': 'evaluation_round', 'alias': 'other', 'on': "fact.run_id = other.round_id"}],
        'value': "count(fact.app_id) filter (where " ~ is_of_ended_round ~ " and fact.status <> 'scored')",
        'counted': is_of_ended_round ~ " and fact.status <> 'scored'",
        'observations': "count(fact.app_id) filter (where " ~ is_of_ended_round ~ ")",
        'dated_from': "max(other.period_end_on) filter (where " ~ is_of_ended_round ~ ")",
        'entities': ['irs.app', 'zheliban.usage', 'zhezhengding.usage']
    },
    {
        'metric_id': 'projects_evaluated_in_depth', 'unit': 'projects',
        'title_zh': '三方均已评分的深入评估项目', 'title_en': 'Projects evaluated in depth of which all three assessors\' sheets are complete',
        'mart': 'mart_project_assessment', 'key': ['round', 'project_id', 'assessor_kind'],
        'filter': round_end ~ " <= period.period_end_on",
        'value': "count(distinct fact.project_id) - count(distinct fact.project_id) filter (where fact.rate_state <> 'reported')",
        'upper': "count(distinct fact.project_id)",
        'observations': "count(fact.project_id)",
        'dated_from': "max(" ~ round_end ~ ")", 'entities': ['finance.score_sheet']
    },
    {
        'metric_id': 'dispositions_not_carried_out', 'unit': 'apps',
        'title_zh': '评价建议关停并转而仍在架的应用',
        'title_en': 'Apps that an ended round proposes to shut down, suspend, merge or transfer and that are still listed',
        'mart': 'evaluation_disposition', 'key': ['run_id', 'subject_kind', 'subject_id'],
        'filter': "fact.subject_kind = 'app' and fact.disposition in ('shut_down', 'suspend', 'merge', 'transfer')",
        'joins': [
            {'model': 'evaluation_round', 'alias': 'ended', 'on': "fact.run_id = ended.round_id and ended.period_end_on <= period.period_end_on"},
            {'model': 'mart_app_listing_history', 'alias': 'other', 'on': "fact.app_id = other.app_id and " ~ is_listed_still}
        ],
        'value': "count(distinct other.app_id) filter (where ended.round_id is not null)",
        'counted': "ended.round_id is not null and other.app_id is not null",
        'observed': 'evaluation_round', 'observed_column': 'period_end_on', 'observed_filter': "seen.period_end_on <= period.period_end_on",
        'dated_from': 'month_end', 'entities': ['irs.listing_event', 'irs.app']
    },
]) }}
{%- endmacro %}

{# The day from which the facts of a metric are, as an expression over its grouped rows. #}
{% macro dated_from(metric) -%}
{%- if metric.dated_from == 'month' -%} any_value(period.period_start_on)
{%- elif metric.dated_from == 'month_end' -%} any_value(period.period_end_on)
{%- else -%} cast({{ metric.dated_from }} as date)
{%- endif -%}
{%- endmacro %}

{# SQL over readers' names that gives a metric's value, or its evidence, with the month still to be put in. #}
{% macro finding_query(metric, is_evidence) -%}
{%- set joined = namespace(sql="") -%}
{%- for join in metric.joins or [] -%}
    {%- set joined.sql = joined.sql ~ " left join " ~ relation_of(join.model) ~ " as " ~ join.alias ~ " on " ~ join.on -%}
{%- endfor -%}
{%- set shown = "distinct fact." ~ (metric.key | join(", fact.")) if is_evidence else metric.value ~ " as value" -%}
{%- set picked = " and " ~ metric.counted if is_evidence and metric.counted else "" -%}
select {{ shown }} from {{ relation_of(metric.mart) }} as fact{{ joined.sql }} where {{ metric.filter }}{{ picked }}
{%- endmacro %}

{# A query with the days and thresholds of a month in the place of `period`. #}
{% macro with_period(text) -%}
replace(replace(replace(replace({{ text }},
    'period.period_start_on', 'date ''' || period.period_start_on || ''''),
    'period.period_end_on', 'date ''' || period.period_end_on || ''''),
    'period.low_use_daily_visitors', cast(period.low_use_daily_visitors as varchar)),
    'period.release_after_ledger_days', cast(period.release_after_ledger_days as varchar))
{%- endmacro %}

{# A number as people write it: no more than four decimals, no empty ones. #}
{% macro plain_number(expression) -%}
coalesce(regexp_replace(cast(cast({{ expression }} as decimal(28, 4)) as varchar), '\.?0+$', ''), '–')
{%- endmacro %}
