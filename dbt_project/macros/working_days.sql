{# Joins dim_calendar under `alias` on the city's calendar day of `instant` (a date or a timestamp). #}
{% macro join_calendar(alias, instant) -%}
left join {{ ref('dim_calendar') }} as {{ alias }} on {{ alias }}.calendar_on = cast({{ instant }} as date)
{%- endmacro %}

{# Working days from the day of one joined calendar row to the day of another. The first day does not count
   and the last one does (民法典 article 201): the same day is 0, Friday to Monday is 1, and a Saturday
   counts like the Friday before it. Null when either day is unknown or outside the calendar. #}
{% macro working_days_between(earlier, later) -%}
({{ later }}.working_day_number - {{ earlier }}.working_day_number)
{%- endmacro %}
