{# What can be measured of an app in an evaluation round. Defined here once: evaluation.metric prints it,
   evaluation.indicator_measure runs it, the catalogue of indicators refers to it by `metric_id`. A changed meaning
   gets a new id.

   A base metric reads one mart: its rows (`fact`) of an app and round (`scope`) that fit `filter`, matched by `key`
   (app_id unless said), give `numerator` and `denominator`; `observations` is what the value rests on.
   A comparison in `filter` has `fact` on one side and `scope` on the other: with both in one expression DuckDB
   compares every app with every row of the mart.
   A derived metric divides the values of two others (`numerator_metric`, `denominator_metric`).

   `coverage` says which days must be in: `reported_days` (the app's own rows on its listed days), `delivered_days`
   (its portal's rows of any app on them), or nothing. `entities` are the deliveries without which the metric is
   unknown and not zero: each must have come up to the cut-off day.
   `reason_without_denominator` names why a denominator of 0 gives no value (seed evaluation_reason). #}
{% macro metrics() -%}
{%- set in_period = "fact.month between scope.period_start_on and scope.period_end_on" -%}
{%- set on_portal = "fact.portal = scope.portal and " ~ in_period -%}
{{ return([
    {
        'metric_id': 'daily_visitors', 'title_zh': '日均访客数', 'title_en': 'Visitors a day', 'unit': 'visitors_a_day',
        'mart': 'mart_portal_usage_month', 'filter': on_portal,
        'numerator': "sum(fact.visitors_count)",
        'denominator': "sum(fact.reported_days_count)",
        'observations': "sum(fact.reported_days_count)",
        'coverage': 'reported_days', 'reason_without_denominator': 'no_days_reported'
    },
    {
        'metric_id': 'daily_active_rate', 'title_zh': '日均活跃率', 'title_en': 'Active over provisioned users, mean of the days',
        'unit': 'rate',
        'mart': 'mart_portal_usage_month', 'filter': on_portal,
        'numerator': "sum(fact.active_rate_sum)",
        'denominator': "sum(fact.active_rate_days_count)",
        'observations': "sum(fact.active_rate_days_count)",
        'coverage': 'reported_days', 'reason_without_denominator': 'no_days_reported'
    },
    {
        'metric_id': 'satisfaction_rate', 'title_zh': '满意率', 'title_en': 'Satisfaction: (mean of 1..5 - 1) / 4, all ends',
        'unit': 'rate',
        'mart': 'mart_portal_usage_month', 'filter': in_period,
        'numerator': "sum(fact.rating_2_count + 2 * fact.rating_3_count + 3 * fact.rating_4_count + 4 * fact.rating_5_count)",
        'denominator': "4 * sum(fact.rating_1_count + fact.rating_2_count + fact.rating_3_count + fact.rating_4_count + fact.rating_5_count)",
        'observations': "sum(fact.rating_1_count + fact.rating_2_count + fact.rating_3_count + fact.rating_4_count + fact.rating_5_count)",
        'coverage': 'reported_days', 'reason_without_denominator': 'no_ratings'
    },
    {
        'metric_id': 'starts_in_period', 'title_zh': '发起办理数', 'title_en': 'Transactions started, all ends', 'unit': 'count',
        'mart': 'mart_portal_usage_month', 'filter': in_period,
        'numerator': "sum(fact.starts_count)",
        'denominator': "1",
        'coverage': 'reported_days'
    },
    {
        'metric_id': 'completion_rate', 'title_zh': '办结率', 'title_en': 'Completed over started transactions, all ends',
        'unit': 'rate',
        'mart': 'mart_portal_usage_month', 'filter': in_period,
        'numerator': "sum(fact.completions_count)",
        'denominator': "sum(fact.starts_count)",
        'observations': "sum(fact.starts_count)",
        'coverage': 'reported_days', 'reason_without_denominator': 'nothing_started'
    },
    {
        'metric_id': 'visitors_in_period', 'title_zh': '周期内访客数', 'title_en': 'Visitors of the period, all ends', 'unit': 'count',
        'mart': 'mart_portal_usage_month', 'filter': in_period,
        'numerator': "sum(fact.visitors_count)",
        'denominator': "1",
        'coverage': 'reported_days'
    },
    {
        'metric_id': 'online_rate', 'title_zh': '上线率', 'title_en': 'Listed days over days of the period', 'unit': 'rate',
        'mart': 'evaluation_usage_coverage', 'filter': "fact.run_id = scope.run_id",
        'numerator': "sum(fact.listed_days_count)",
        'denominator': "sum(fact.period_days_count)",
        'entities': ['irs.listing_event'], 'reason_without_denominator': 'no_days_listed'
    },
    {
        'metric_id': 'stability_rate', 'title_zh': '运行稳定率',
        'title_en': 'Days with the app\'s rows over its listed days on which the portal delivered', 'unit': 'rate',
        'mart': 'evaluation_usage_coverage', 'filter': "fact.run_id = scope.run_id",
        'numerator': "sum(fact.reported_days_count)",
        'denominator': "sum(fact.delivered_days_count)",
        'observations': "sum(fact.delivered_days_count)",
        'coverage': 'delivered_days', 'reason_without_denominator': 'no_days_delivered'
    },
    {
        'metric_id': 'release_end_rate', 'title_zh': '发布端覆盖率',
        'title_en': 'Zheliban ends on which the app is listed at the end of the period, of three', 'unit': 'rate',
        'mart': 'mart_app_listing_history',
        'filter': "fact.portal = 'zheliban' and fact.listed_on <= scope.period_end_on and coalesce(fact.delisted_on, date '9999-12-31') > scope.period_end_on",
        'numerator': "count(distinct fact.release_end)",
        'denominator': "3",
        'entities': ['irs.listing_event']
    },
    {
        'metric_id': 'sharing_request_step', 'title_zh': '数据共享申请进展',
        'title_en': 'Sharing requests up to the cut-off: 0 none, 1 asked, 2 at least one approved', 'unit': 'step',
        'mart': 'mart_sharing_request', 'filter': "cast(fact.applied_at as date) <= scope.cut_off_on",
        'numerator': "case when count(*) filter (where cast(fact.approved_at as date) <= scope.cut_off_on) > 0 then 2 when count(fact.sharing_request_id) > 0 then 1 else 0 end",
        'denominator': "1",
        'entities': ['irs.sharing_request']
    },
    {
        'metric_id': 'department_resources', 'title_zh': '主管部门数据资源数',
        'title_en': 'Data resources that the owner department has registered', 'unit': 'count',
        'mart': 'mart_department_data_capability', 'key': 'department_id', 'filter': "true",
        'numerator': "sum(fact.resources_count)",
        'denominator': "1",
        'entities': ['irs.data_resource']
    },
    {
        'metric_id': 'published_resource_rate', 'title_zh': '数据资源发布率',
        'title_en': 'Published over registered data resources of the owner department', 'unit': 'rate',
        'mart': 'mart_department_data_capability', 'key': 'department_id', 'filter': "true",
        'numerator': "sum(fact.published_resources_count)",
        'denominator': "sum(fact.resources_count)",
        'observations': "sum(fact.resources_count)",
        'entities': ['irs.data_resource'], 'reason_without_denominator': 'department_without_resources'
    },
    {
        'metric_id': 'security_breaches', 'title_zh': '安全通报扣分项',
        'title_en': 'Security notices found by inspection in the period, and those mended late or not at all; what an owner reports itself never counts',
        'unit': 'count',
        'mart': 'mart_security_notice', 'filter': "fact.reported_by = 'inspection' and fact.noticed_on <= scope.cut_off_on",
        'numerator': "count(*) filter (where fact.noticed_on >= scope.period_start_on) + count(*) filter (where fact.due_on < scope.cut_off_on and coalesce(fact.mended_on, date '9999-12-31') > fact.due_on and coalesce(fact.mended_on, date '9999-12-31') >= scope.period_start_on)",
        'denominator': "1",
        'entities': ['irs.security_notice']
    },
    {
        'metric_id': 'projects_linked', 'title_zh': '关联项目数', 'title_en': 'Projects of the library linked to the app', 'unit': 'count',
        'mart': 'mart_app_project_money', 'filter': "coalesce(fact.linked_on, date '0001-01-01') <= scope.cut_off_on",
        'numerator': "count(fact.project_id)",
        'denominator': "1",
        'entities': ['project_library.app_link', 'project_library.project']
    },
    {
        'metric_id': 'project_money_wan', 'title_zh': '关联项目资金（万元）',
        'title_en': 'Budget of the linked projects, shared evenly among the apps of each, in ten thousand yuan', 'unit': 'wan_cny',
        'mart': 'mart_app_project_money', 'filter': "coalesce(fact.linked_on, date '0001-01-01') <= scope.cut_off_on",
        'numerator': "case when count(fact.project_id) = count(fact.share_cny) then sum(fact.share_cny) end",
        'denominator': "10000",
        'entities': ['project_library.app_link', 'project_library.project']
    },
    {
        'metric_id': 'visitors_per_wan', 'title_zh': '每万元项目资金服务访客数',
        'title_en': 'Visitors of the period for each ten thousand yuan of project money', 'unit': 'visitors_per_wan_cny',
        'numerator_metric': 'visitors_in_period', 'denominator_metric': 'project_money_wan',
        'reason_without_denominator': 'no_project_money'
    },
    {
        'metric_id': 'modules_registered', 'title_zh': '登记模块数', 'title_en': 'Modules, matters and scenes registered', 'unit': 'count',
        'mart': 'dim_module', 'filter': "fact.is_registered",
        'numerator': "count(fact.module_id)",
        'denominator': "1",
        'entities': ['irs.module']
    },
    {
        'metric_id': 'modules_reporting', 'title_zh': '有数据的模块数', 'title_en': 'Registered modules with any row on the portal',
        'unit': 'count',
        'mart': 'mart_matter_usage_month', 'filter': "fact.is_registered and " ~ on_portal,
        'numerator': "count(distinct fact.module_id)",
        'denominator': "1",
        'coverage': 'reported_days'
    },
    {
        'metric_id': 'modules_used', 'title_zh': '有访问的模块数', 'title_en': 'Registered modules with a visitor on the portal',
        'unit': 'count',
        'mart': 'mart_matter_usage_month', 'filter': "fact.is_registered and " ~ on_portal,
        'numerator': "count(distinct fact.module_id) filter (where fact.visitors_count > 0)",
        'denominator': "1",
        'coverage': 'reported_days'
    },
    {
        'metric_id': 'function_use_rate', 'title_zh': '功能使用率',
        'title_en': 'Modules used over modules whose data came', 'unit': 'rate',
        'numerator_metric': 'modules_used', 'denominator_metric': 'modules_reporting',
        'reason_without_denominator': 'no_module_reported'
    },
    {
        'metric_id': 'module_months_without_data', 'title_zh': '模块缺数月数',
        'title_en': 'Months in which a registered module sent nothing though its app did', 'unit': 'count',
        'mart': 'mart_missing_module_data', 'filter': "fact.gap_kind = 'module_without_data' and " ~ on_portal,
        'numerator': "count(fact.module_id)",
        'denominator': "1",
        'coverage': 'reported_days', 'entities': ['irs.module']
    },
    {
        'metric_id': 'interface_calls', 'title_zh': '接口调用量', 'title_en': 'Interface calls of the app', 'unit': 'count',
        'mart': 'mart_app_interface_month', 'filter': in_period,
        'numerator': "coalesce(sum(fact.calls_count), 0)",
        'denominator': "1",
        'entities': ['irs.interface_call']
    },
    {
        'metric_id': 'interface_success_rate', 'title_zh': '接口调用成功率', 'title_en': 'Interface calls that did not fail', 'unit': 'rate',
        'mart': 'mart_app_interface_month', 'filter': in_period,
        'numerator': "coalesce(sum(fact.calls_count - fact.failed_calls_count), 0)",
        'denominator': "coalesce(sum(fact.calls_count), 0)",
        'observations': "coalesce(sum(fact.calls_count), 0)",
        'entities': ['irs.interface_call'], 'reason_without_denominator': 'no_interface_calls'
    },
]) }}
{%- endmacro %}

{# The relation that readers know a model by, without depending on it: marts.app_usage_month, evaluation.population. #}
{% macro relation_of(model) -%}
{%- if model.startswith('mart_') -%} marts.{{ model[5:] }}
{%- elif model.startswith('evaluation_') -%} evaluation.{{ model[11:] }}
{%- else -%} marts.{{ model }}
{%- endif -%}
{%- endmacro %}

{# The derived metrics, each after those that it is made of; a cycle or an unknown metric ends the compilation. #}
{% macro derived_metrics_in_order() -%}
    {%- set known = namespace(ids=metrics() | selectattr('mart', 'defined') | map(attribute='metric_id') | list) -%}
    {%- set waiting = namespace(list=metrics() | selectattr('numerator_metric', 'defined') | list) -%}
    {%- set ordered = [] -%}
    {%- for _ in range(waiting.list | length) -%}
        {%- set later = [] -%}
        {%- for metric in waiting.list -%}
            {%- if metric.numerator_metric in known.ids and metric.denominator_metric in known.ids -%}
                {%- do ordered.append(metric) -%}
                {%- set known.ids = known.ids + [metric.metric_id] -%}
            {%- else -%} {%- do later.append(metric) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set waiting.list = later -%}
    {%- endfor -%}
    {%- if waiting.list -%}
        {{ exceptions.raise_compiler_error(
            "macros/metrics.sql: " ~ waiting.list | map(attribute='metric_id') | join(', ')
            ~ " refer to each other or to a metric that does not exist. `oneledger rules check` says which."
        ) }}
    {%- endif -%}
    {{ return(ordered) }}
{%- endmacro %}

{# The step of evaluation.indicator_measure that holds a metric: base metrics stand in one, derived ones each alone. #}
{% macro measured_in(metric_id) -%}
{%- if metric_id in derived_metrics_in_order() | map(attribute='metric_id') | list -%} derived_{{ metric_id }}
{%- else -%} measured
{%- endif -%}
{%- endmacro %}

{# Text as an SQL literal. #}
{% macro sql_text(text) -%}
{%- if text -%} '{{ text | replace("'", "''") }}' {%- else -%} cast(null as varchar) {%- endif -%}
{%- endmacro %}
