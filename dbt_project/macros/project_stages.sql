{# Position of a project stage in the life cycle: declared 1 … operating 5; null for anything else. #}
{% macro stage_number(stage) -%}
case {{ stage }}
    when 'declared' then 1
    when 'reviewed' then 2
    when 'implementing' then 3
    when 'accepted' then 4
    when 'operating' then 5
end
{%- endmacro %}
