{# 'reported' when the value is there, else what its absence means: 'missing' or 'not_applicable'. #}
{% macro state_of(value, absent="'missing'") -%}
case when {{ value }} is not null then 'reported' else {{ absent }} end
{%- endmacro %}

{# State of a sum over records of which each has a state: reported when at least one was reported,
   not applicable when none could be, missing otherwise. #}
{% macro state_of_sum(state) -%}
case
    when count(*) filter (where {{ state }} = 'reported') > 0 then 'reported'
    when count(*) filter (where {{ state }} <> 'not_applicable') = 0 then 'not_applicable'
    else 'missing'
end
{%- endmacro %}

{# Money as every mart holds it: yuan with two decimals. #}
{% macro cny(expression) -%}
cast({{ expression }} as decimal(18, 2))
{%- endmacro %}

{# The first day of the month of a date or timestamp. #}
{% macro month_of(expression) -%}
cast(date_trunc('month', {{ expression }}) as date)
{%- endmacro %}

{# A date out of text such as 2022年8月8日; null when the text holds none. #}
{% macro chinese_date(text) -%}
cast(try_strptime(regexp_extract({{ text }}, '\d{4}年\d{1,2}月\d{1,2}日'), '%Y年%m月%d日') as date)
{%- endmacro %}
