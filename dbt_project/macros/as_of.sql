{# The day as of which everything is computed, as a date literal: the newest day for which a daily source
   delivered usage; without any, the newest business date of all. No clock decides it.

   The business dates of the newest usage batches are tried first, so that only those days are read; the whole
   of the history is looked through only when a source delivers many days under one business date. #}
{% macro as_of_on() -%}
    {%- if not execute -%}
        {{ return("date '1970-01-01'") }}
    {%- endif -%}
    {%- set usage = source('admitted', 'usage') -%}
    {%- set newest = run_query(
        "select distinct max(business_on) as business_on from " ~ source('control', 'admitted_batch')
        ~ " group by source, entity order by business_on"
    ).columns[0].values() | list -%}
    {%- set found = namespace(day=none) -%}
    {%- if newest -%}
        {%- set found.day = run_query(
            "select max(usage_on) from " ~ usage ~ " where period_grain = 'day' and usage_on in ("
            ~ date_literals(newest) ~ ")"
        ).columns[0].values()[0] -%}
    {%- endif -%}
    {%- if not found.day -%}
        {%- set found.day = run_query(
            "select coalesce((select max(usage_on) from " ~ usage ~ " where period_grain = 'day'), "
            ~ "(select max(business_on) from " ~ source('control', 'admitted_batch') ~ "))"
        ).columns[0].values()[0] -%}
    {%- endif -%}
    {%- if not found.day -%}
        {{ exceptions.raise_compiler_error(
            "Nothing is admitted yet, so there is no day as of which to compute. Run `oneledger ingest` and admit "
            ~ "before the models are built."
        ) }}
    {%- endif -%}
    date '{{ found.day }}'
{%- endmacro %}

{# date '2022-10-01', date '2022-10-02' … out of a list of dates. #}
{% macro date_literals(days) -%}
    {%- for day in days -%} date '{{ day }}'{{ ', ' if not loop.last }} {%- endfor -%}
{%- endmacro %}
