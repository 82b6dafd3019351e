{# The months (first days) whose usage is not published yet, oldest first. They become literals in the SQL, so
   that DuckDB skips every block of other months by its zone map instead of reading years of rows. #}
{% macro pending_months() -%}
    {%- if not execute -%} {{ return([]) }} {%- endif -%}
    {{ return(run_query(
        "select distinct cast(date_trunc('month', usage_on) as date) as month from "
        ~ source('control', 'pending_date') ~ " where shape = 'usage' order by month"
    ).columns[0].values() | list) }}
{%- endmacro %}

{# True for days of the given months, as ranges of literals; true for every day when months is none. #}
{% macro is_in_months(column, months) -%}
    {%- if months is none -%} true
    {%- elif not months -%} false
    {%- else -%}
(
    {%- for month in months %}
        ({{ column }} >= date '{{ month }}' and {{ column }} < date '{{ month }}' + interval 1 month)
        {{- ' or' if not loop.last }}
    {%- endfor %}
    )
    {%- endif -%}
{%- endmacro %}

{# Take the pending months out of an incremental model before it inserts them again. A month whose last row was
   withdrawn has nothing to insert, so deleting by what comes would leave the old row standing. #}
{% macro delete_pending_months() -%}
    {%- if is_incremental() -%}
        {%- set months = pending_months() -%}
        {%- if months -%}
            delete from {{ this }} where month in ({{ date_literals(months) }})
        {%- else -%}
            select 1
        {%- endif -%}
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}
