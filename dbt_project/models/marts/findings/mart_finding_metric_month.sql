{%- set metrics = finding_metrics() -%}
with definition as (
    {%- for metric in metrics %}
    select
        '{{ metric.metric_id }}' as metric_id,
        {{ sql_text(metric.title_zh) }} as title_zh,
        {{ sql_text(metric.title_en) }} as title_en,
        '{{ metric.unit }}' as unit
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- The remedy has a day only once the office reports it done; until then the day by which it had to be done is the
-- first from which data can speak for it.
finding as (
    select
        listed.list_year,
        listed.finding_number,
        rule.found_on,
        coalesce(rule.remedy_on, listed.second_due_on) as remedy_on
    from {{ ref('mart_rectification') }} as listed
    inner join {{ ref('finding_rule') }} as rule
        on
            listed.list_year = rule.list_year and listed.finding_number = rule.finding_number
            and listed.as_of_on >= rule.effective_from
            and listed.as_of_on <= coalesce(rule.effective_to, date '9999-12-31')
),

-- A month is judged by the target in force on its last day; months before any target, by the first one.
target as (
    select
        list_year,
        finding_number,
        metric_id,
        metric_order,
        comparison,
        target,
        reported_when_found,
        rule_version,
        source,
        case
            when row_number() over (partition by list_year, finding_number, metric_id order by effective_from) = 1
                then date '1970-01-01'
            else effective_from
        end as effective_from,
        coalesce(effective_to, date '9999-12-31') as effective_to
    from {{ ref('finding_target') }}
),

measured as (
    select
        finding.list_year,
        finding.finding_number,
        finding.found_on,
        finding.remedy_on,
        target.metric_id,
        target.metric_order,
        target.comparison,
        target.target,
        target.reported_when_found,
        target.rule_version,
        target.source,
        measure.month,
        measure.measured_on,
        measure.value,
        measure.upper_value,
        measure.observations_count,
        measure.dated_from_on,
        measure.missing_deliveries,
        measure.reason
    from finding
    inner join target
        on finding.list_year = target.list_year and finding.finding_number = target.finding_number
    inner join {{ ref('int_finding_measure') }} as measure
        on
            target.metric_id = measure.metric_id
            and measure.measured_on between target.effective_from and target.effective_to
),

found as (
    select
        list_year,
        finding_number,
        metric_id,
        value as value_when_found,
        upper_value as upper_value_when_found
    from measured
    where month = {{ month_of('found_on') }}
),

compared as (
    select
        measured.list_year,
        measured.finding_number,
        measured.metric_id,
        measured.metric_order,
        measured.comparison,
        measured.reported_when_found,
        measured.rule_version,
        measured.source,
        measured.month,
        measured.measured_on,
        measured.found_on,
        measured.remedy_on,
        measured.value,
        measured.upper_value,
        measured.observations_count,
        measured.dated_from_on,
        measured.missing_deliveries,
        measured.reason,
        found.value_when_found,
        case
            when measured.comparison in ('above_found', 'below_found') then found.value_when_found
            else measured.target
        end as target,
        coalesce(measured.dated_from_on, measured.measured_on) > measured.remedy_on as is_after_remedy,
        measured.comparison in ('at_least', 'greater_than', 'above_found') as is_higher_better
    from measured
    left join found
        on
            measured.list_year = found.list_year
            and measured.finding_number = found.finding_number
            and measured.metric_id = found.metric_id
),

judged as (
    select
        list_year,
        finding_number,
        metric_id,
        metric_order,
        comparison,
        reported_when_found,
        rule_version,
        source,
        month,
        measured_on,
        found_on,
        remedy_on,
        value,
        upper_value,
        observations_count,
        dated_from_on,
        missing_deliveries,
        value_when_found,
        target,
        is_after_remedy,
        is_higher_better,
        case
            when not is_after_remedy then 'before_remedy'
            when reason = 'nothing_happened' then 'not_applicable'
            when value is null or target is null then 'cannot_determine'
            when comparison = 'at_least' and value >= target then 'met'
            when comparison = 'at_least' and upper_value < target then 'missed'
            when comparison in ('greater_than', 'above_found') and value > target then 'met'
            when comparison in ('greater_than', 'above_found') and upper_value <= target then 'missed'
            when comparison = 'at_most' and upper_value <= target then 'met'
            when comparison = 'at_most' and value > target then 'missed'
            when comparison = 'below_found' and upper_value < target then 'met'
            when comparison = 'below_found' and value >= target then 'missed'
            else 'cannot_determine'
        end as state,
        case
            when not is_after_remedy then 'data_before_remedy'
            when reason is not null then reason
            when target is null then 'found_value_unknown'
            when comparison in ('at_most', 'below_found') and value <= target and coalesce(upper_value > target, true)
                then 'members_not_judged'
            when
                comparison not in ('at_most', 'below_found')
                and value < target
                and coalesce(upper_value >= target, true)
                then 'members_not_judged'
        end as reason
    from compared
)

select
    judged.list_year,
    judged.finding_number,
    judged.metric_id,
    judged.month,
    judged.measured_on,
    judged.metric_order,
    definition.title_zh,
    definition.title_en,
    definition.unit,
    judged.value,
    judged.upper_value,
    judged.comparison,
    judged.target,
    judged.state,
    judged.reason,
    judged.value_when_found,
    judged.reported_when_found,
    case
        when judged.value_when_found <> judged.target
            then (judged.value_when_found - judged.value) / (judged.value_when_found - judged.target)
    end as way_to_target_share,
    judged.is_higher_better,
    judged.found_on,
    judged.remedy_on,
    judged.dated_from_on,
    judged.is_after_remedy,
    judged.observations_count,
    judged.missing_deliveries,
    judged.rule_version,
    judged.source
from judged
inner join definition on judged.metric_id = definition.metric_id
