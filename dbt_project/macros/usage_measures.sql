{# The measures of app usage that add up over days. #}
{% macro added_measures() -%}
{{ return([
    'page_views_count', 'visits_count', 'visitors_count', 'night_visitors_count',
        'starts_count', 'completions_count', 'impressions_count',
    'clicks_count', 'rating_1_count', 'rating_2_count', 'rating_3_count', 'rating_4_count', 'rating_5_count',
    'exits_count', 'transactions_count', 'digital_transactions_count'
]) }}
{%- endmacro %}

{# reported, missing or not_applicable for `measure` of a row of admitted usage. #}
{% macro state_of_measure(measure, states='_missing_states') -%}
case
    when {{ measure }} is not null then 'reported'
    when json_extract_string({{ states }}, '$.{{ measure }}') = 'not_applicable' then 'not_applicable'
    else 'missing'
end
{%- endmacro %}

{# The same for a sum over days. `first_states` and `last_states` are the smallest and largest JSON text of the
   days' absent values: when both say not applicable, all days between them that we tell apart do. #}
{% macro state_of_summed_measure(measure) -%}
case
    when {{ measure }} is not null then 'reported'
    when json_extract_string(first_states, '$.{{ measure }}') = 'not_applicable'
        and json_extract_string(last_states, '$.{{ measure }}') = 'not_applicable' then 'not_applicable'
    else 'missing'
end
{%- endmacro %}

{# reported, missing or not_applicable for numerator / denominator: a part that is missing makes the rate
   missing, a denominator of 0 makes it not applicable. #}
{% macro state_of_rate(numerator, denominator) -%}
case
    when {{ numerator }} is null or {{ denominator }} is null then 'missing'
    when {{ denominator }} = 0 then 'not_applicable'
    else 'reported'
end
{%- endmacro %}

{# numerator / denominator as a double; null when a part is null or the denominator is 0. #}
{% macro rate(numerator, denominator) -%}
cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0)
{%- endmacro %}

{# The portal that an end belongs to: zheliban has three ends; every other end is a portal of its own. #}
{% macro portal_of(release_end) -%}
case
    when {{ release_end }} in ('zheliban_app', 'zheliban_wechat', 'zheliban_alipay') then 'zheliban'
    else {{ release_end }}
end
{%- endmacro %}

{# Bits of the days of a month from `first_day` to `last_day` (numbers 1 to 31), day 1 the lowest bit. #}
{% macro day_mask(first_day, last_day) -%}
((cast(1 as bigint) << cast({{ last_day }} as bigint)) - (cast(1 as bigint) << (cast({{ first_day }} as bigint) - 1)))
{%- endmacro %}
