{# How each published figure is computed: its mart, the rows (`filter`) and what is made of them (`measure`).
   Defined here once; marts.published_figure runs it and prints it. The values themselves are in the seed. #}
{% macro published_figures() -%}
{{ return([
    {
        'figure_id': 'projects_in_library',
        'mart': 'dim_project',
        'filter': "true",
        'measure': "count(*)"
    },
    {
        'figure_id': 'projects_city',
        'mart': 'dim_project',
        'filter': "level = 'city'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'projects_county',
        'mart': 'dim_project',
        'filter': "level = 'county'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'apps_evaluated',
        'mart': 'evaluation_app_stars',
        'filter': "run_id = 'first-round-2022-Q3'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'apps_five_star',
        'mart': 'evaluation_app_stars',
        'filter': "run_id = 'first-round-2022-Q3' and stars = 5",
        'measure': "count(*)"
    },
    {
        'figure_id': 'apps_four_star',
        'mart': 'evaluation_app_stars',
        'filter': "run_id = 'first-round-2022-Q3' and stars = 4",
        'measure': "count(*)"
    },
    {
        'figure_id': 'apps_three_star',
        'mart': 'evaluation_app_stars',
        'filter': "run_id = 'first-round-2022-Q3' and stars = 3",
        'measure': "count(*)"
    },
    {
        'figure_id': 'apps_without_star',
        'mart': 'evaluation_app_stars',
        'filter': "run_id = 'first-round-2022-Q3' and stars is null",
        'measure': "count(*)"
    },
    {
        'figure_id': 'sharing_requests_aug_sep',
        'mart': 'mart_sharing_request',
        'filter': "applied_at >= timestamp '2022-08-01' and applied_at < timestamp '2022-10-01'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'sharing_requests_batch',
        'mart': 'mart_sharing_request',
        'filter': "applied_at >= timestamp '2022-08-01' and applied_at < timestamp '2022-10-01' and request_kind = 'batch'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'sharing_requests_interface',
        'mart': 'mart_sharing_request',
        'filter': "applied_at >= timestamp '2022-08-01' and applied_at < timestamp '2022-10-01' and request_kind = 'interface'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'sharing_requests_growth',
        'mart': 'mart_sharing_request',
        'filter': "month(applied_at) in (8, 9) and year(applied_at) in (2021, 2022)",
        'measure': "count(*) filter (where year(applied_at) = 2022) / nullif(cast(count(*) filter (where year(applied_at) = 2021) as double), 0) - 1"
    },
    {
        'figure_id': 'approve_to_open_minutes',
        'mart': 'mart_sharing_request',
        'filter': "approved_at >= timestamp '2022-08-01'",
        'measure': "max(approve_to_open_minutes)"
    },
    {
        'figure_id': 'key_apps_without_request',
        'mart': 'mart_key_app_sharing',
        'filter': "first_requested_on is null or first_requested_on > date '2022-06-30'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'zheliban_apps_evaluated',
        'mart': 'evaluation_population',
        'filter': "run_id = 'first-round-2022-Q3' and is_in_scope and side = 'service'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'zheliban_low_use',
        'mart': 'mart_low_use_verdict',
        'filter': "month = date '2022-06-01' and is_registered and period_grain = 'month' and portal = 'zheliban' and verdict in ('low_use', 'unused')",
        'measure': "count(*)"
    },
    {
        'figure_id': 'zheliban_delisted',
        'mart': 'mart_app_listing_history',
        'filter': "portal = 'zheliban' and delisted_on >= date '2022-08-01'",
        'measure': "count(distinct app_id)"
    },
    {
        'figure_id': 'zheliban_listed',
        'mart': 'dim_app',
        'filter': "side = 'service' and first_listed_on >= date '2022-08-01'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'weak_share_apps',
        'mart': 'mart_channel_share_month',
        'filter': "month = date '2022-06-01' and matter_id <> '' and is_weak",
        'measure': "count(distinct app_id)"
    },
    {
        'figure_id': 'province_assigned_apps',
        'mart': 'mart_app_end_coverage',
        'filter': "is_province_assigned",
        'measure': "count(distinct app_id)"
    },
    {
        'figure_id': 'province_assigned_apps_adapted',
        'mart': 'mart_app_end_coverage',
        'filter': "is_province_assigned and is_on_all_ends",
        'measure': "count(distinct app_id)"
    },
    {
        'figure_id': 'future_communities',
        'mart': 'mart_future_unit',
        'filter': "unit_kind = 'future_community' and has_listed_app",
        'measure': "count(*)"
    },
    {
        'figure_id': 'future_villages',
        'mart': 'mart_future_unit',
        'filter': "unit_kind = 'future_village' and has_listed_app",
        'measure': "count(*)"
    },
    {
        'figure_id': 'promotion_broadcasts',
        'mart': 'mart_promotion_event',
        'filter': "true",
        'measure': "count(*)"
    },
    {
        'figure_id': 'promotion_viewers',
        'mart': 'mart_promotion_event',
        'filter': "true",
        'measure': "sum(viewers_count)"
    },
    {
        'figure_id': 'zhezhengding_low_use',
        'mart': 'mart_low_use_verdict',
        'filter': "month = date '2022-06-01' and is_registered and period_grain = 'month' and portal = 'zhezhengding' and verdict in ('low_use', 'unused')",
        'measure': "count(*)"
    },
    {
        'figure_id': 'zhezhengding_delisted',
        'mart': 'mart_app_listing_history',
        'filter': "portal = 'zhezhengding' and delisted_on >= date '2022-08-01'",
        'measure': "count(distinct app_id)"
    },
    {
        'figure_id': 'components_listed',
        'mart': 'mart_component',
        'filter': "is_listed",
        'measure': "count(*)"
    },
    {
        'figure_id': 'zhezhengding_listed_by_rules',
        'mart': 'dim_app',
        'filter': "side = 'governance' and first_listed_on >= date '2022-08-01' and has_passed_listing_review",
        'measure': "count(*)"
    },
    {
        'figure_id': 'projects_evaluated_in_depth',
        'mart': 'mart_project_assessment',
        'filter': "true",
        'measure': "count(distinct project_id)"
    },
    {
        'figure_id': 'city_s0_published_on',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'city' and ledger_version = 'S0'",
        'measure': "cast(strftime(max(published_on), '%Y%m%d') as double)"
    },
    {
        'figure_id': 'city_s0_released_on',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'city' and ledger_version = 'S0'",
        'measure': "cast(strftime(min(first_released_on), '%Y%m%d') as double)"
    },
    {
        'figure_id': 'city_s0_publish_to_release_days',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'city' and ledger_version = 'S0'",
        'measure': "min(publish_to_release_days)"
    },
    {
        'figure_id': 'city_s1_published_on',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'city' and ledger_version = 'S1'",
        'measure': "cast(strftime(max(published_on), '%Y%m%d') as double)"
    },
    {
        'figure_id': 'city_s1_released_on',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'city' and ledger_version = 'S1'",
        'measure': "cast(strftime(min(first_released_on), '%Y%m%d') as double)"
    },
    {
        'figure_id': 'city_s1_publish_to_release_days',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'city' and ledger_version = 'S1'",
        'measure': "min(publish_to_release_days)"
    },
    {
        'figure_id': 'province_s0_published_month',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'province' and ledger_version = 'S0'",
        'measure': "cast(strftime(max(published_on), '%Y%m') as double)"
    },
    {
        'figure_id': 'province_s1_published_on',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'province' and ledger_version = 'S1' and published_precision = 'day'",
        'measure': "cast(strftime(max(published_on), '%Y%m%d') as double)"
    },
    {
        'figure_id': 'province_s2_published_month',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'province' and ledger_version = 'S2'",
        'measure': "cast(strftime(max(published_on), '%Y%m') as double)"
    },
    {
        'figure_id': 'city_s2_ledgers',
        'mart': 'mart_ledger',
        'filter': "ledger_level = 'city' and ledger_version = 'S2'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'city_s2_collection_month',
        'mart': 'dim_project',
        'filter': "ledger_version = 'S2' and level = 'city'",
        'measure': "cast(strftime(min(declared_on), '%Y%m') as double)"
    },
    {
        'figure_id': 'rules_articles',
        'mart': 'mart_rule_revision',
        'filter': "change_kind <> 'removed'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'rules_chapters',
        'mart': 'mart_rule_revision',
        'filter': "change_kind <> 'removed'",
        'measure': "count(distinct chapter_number)"
    },
    {
        'figure_id': 'rules_revised',
        'mart': 'mart_rule_revision',
        'filter': "change_kind = 'revised'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'rules_added',
        'mart': 'mart_rule_revision',
        'filter': "change_kind = 'added'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'rules_removed',
        'mart': 'mart_rule_revision',
        'filter': "change_kind = 'removed'",
        'measure': "count(*)"
    },
    {
        'figure_id': 'findings',
        'mart': 'mart_rectification',
        'filter': "list_year = 2022",
        'measure': "count(distinct finding_number)"
    },
    {
        'figure_id': 'audit_received_on',
        'mart': 'mart_rectification',
        'filter': "list_year = 2022",
        'measure': "cast(strftime(max(received_on), '%Y%m%d') as double)"
    },
    {
        'figure_id': 'first_node_on',
        'mart': 'mart_rectification',
        'filter': "list_year = 2022",
        'measure': "cast(strftime(max(first_due_on), '%Y%m%d') as double)"
    },
    {
        'figure_id': 'second_node_on',
        'mart': 'mart_rectification',
        'filter': "list_year = 2022",
        'measure': "cast(strftime(max(second_due_on), '%Y%m%d') as double)"
    },
    {
        'figure_id': 'replied_on',
        'mart': 'mart_rectification',
        'filter': "list_year = 2022",
        'measure': "cast(strftime(max(replied_on), '%Y%m%d') as double)"
    },
]) }}
{%- endmacro %}

{# The relation that readers know: marts.app_usage_month for mart_app_usage_month. #}
{% macro shown_name(relation) -%}
{{ relation.schema }}.{{ relation.identifier }}
{%- endmacro %}
