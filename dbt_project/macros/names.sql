{# The schema of a relation is the one that its folder is given, without the target's name before it. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

{# mart_app_usage_month is marts.app_usage_month; an evaluation model loses its evaluation_ prefix; dim_, fct_,
   stg_, int_ and seeds keep their names. #}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {%- if custom_alias_name -%} {{ custom_alias_name | trim }}
    {%- elif node.name.startswith('mart_') -%} {{ node.name[5:] }}
    {%- elif node.name.startswith('evaluation_') -%} {{ node.name[11:] }}
    {%- else -%} {{ node.name }}
    {%- endif -%}
{%- endmacro %}
