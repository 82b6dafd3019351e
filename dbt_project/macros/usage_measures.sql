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

{# All that adds up over the days of a month and is a whole number. #}
{% macro summed_measures() -%}
{{ return(added_measures() + [
    'active_users_sum', 'active_users_days_count', 'provisioned_users_sum', 'provisioned_users_days_count',
    'active_rate_days_count'
]) }}
{%- endmacro %}

{# The measures of whose absence a month says what it means. #}
{% macro measures_with_state() -%}
{{ return(added_measures() + ['active_users_count']) }}
{%- endmacro %}

{# One bit a measure that does not apply to a row of admitted usage, the first measure the lowest bit. A number,
   because the smallest of many texts is kept outside of what the database counts as its memory. #}
{% macro not_applicable_mask(states='_missing_states') -%}
case
    when {{ states }} like '%not_applicable%'
        then
            {% for measure in measures_with_state() -%}
            case
                when {{ states }} like '%"{{ measure }}":"not_applicable"%' then cast({{ 2 ** loop.index0 }} as bigint)
                else cast(0 as bigint)
            end{{ ' +' if not loop.last }}
            {% endfor %}
    else cast(0 as bigint)
end
{%- endmacro %}

{# The state of a measure of a month: not_applicable when it applied on none of its days. #}
{% macro state_of_summed_measure(measure, table='', value=none) -%}
case
    when {{ value or table ~ measure }} is not null then 'reported'
    when ({{ table }}not_applicable_mask & {{ 2 ** measures_with_state().index(measure) }}) <> 0 then 'not_applicable'
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
