{%- for metric in metrics() %}
select
    {{ sql_text(metric.metric_id) }} as metric_id,
    {{ sql_text(metric.title_zh) }} as title_zh,
    {{ sql_text(metric.title_en) }} as title_en,
    {{ sql_text(metric.unit) }} as unit,
    {{ sql_text(relation_of(metric.mart) if metric.mart) }} as mart,
    {{ sql_text(metric.filter) }} as filter,
    {{ sql_text(metric.numerator) }} as numerator,
    {{ sql_text(metric.denominator) }} as denominator,
    {{ sql_text(metric.numerator_metric) }} as numerator_metric_id,
    {{ sql_text(metric.denominator_metric) }} as denominator_metric_id,
    {{ sql_text(metric.coverage) }} as coverage,
    {{ sql_text((metric.entities or []) | join(';')) }} as entities,
    {{ sql_text(metric.reason_without_denominator) }} as reason_without_denominator
{{ 'union all' if not loop.last }}
{%- endfor %}
