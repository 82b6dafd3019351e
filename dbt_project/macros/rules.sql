{# The join condition that picks the row of the dated rule `rule_id` in force on `date`.
   `applies_to` is an SQL expression; 'all' for a rule that makes no difference. #}
{% macro rule_in_force(alias, rule_id, date, applies_to="'all'") -%}
{{ alias }}.rule_id = '{{ rule_id }}'
        and {{ alias }}.applies_to = {{ applies_to }}
        and cast({{ date }} as date) >= {{ alias }}.effective_from
        and cast({{ date }} as date) <= coalesce({{ alias }}.effective_to, date '9999-12-31')
{%- endmacro %}
