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

{# What of usage is not published yet, for a model that holds months with the days that each was made of
   (reported_days_mask): months to make anew, because a day that they hold already is delivered or taken back again;
   and days that are new to a month that is there, which is all that most nights bring. #}
{% macro pending_usage() -%}
    {%- if not execute -%} {{ return({'months': [], 'days': [], 'grown_months': []}) }} {%- endif -%}
    {%- set found = run_query(
        "with pending as (select usage_on, cast(date_trunc('month', usage_on) as date) as month, "
        ~ "cast(1 as bigint) << (day(usage_on) - 1) as day_mask from " ~ source('control', 'pending_date')
        ~ " where shape = 'usage'), "
        ~ "held as (select month, bit_or(reported_days_mask) as held_mask from " ~ this
        ~ " where month in (select month from pending) group by month), "
        ~ "judged as (select pending.month, "
        ~ "bool_or(held.held_mask is null or (held.held_mask & pending.day_mask) <> 0) as is_anew "
        ~ "from pending left join held on pending.month = held.month group by pending.month) "
        ~ "select pending.usage_on, judged.month, judged.is_anew from pending "
        ~ "inner join judged on pending.month = judged.month order by pending.usage_on"
    ).rows -%}
    {%- set months, days, grown_months = [], [], [] -%}
    {%- for row in found -%}
        {%- if row[2] -%}
            {%- do months.append(row[1]) if row[1] not in months -%}
        {%- else -%}
            {%- do days.append(row[0]) -%}
            {%- do grown_months.append(row[1]) if row[1] not in grown_months -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return({'months': months, 'days': days, 'grown_months': grown_months}) }}
{%- endmacro %}

{# True for the days that `pending_usage` names; for every day when it is none. #}
{% macro is_pending(column, pending) -%}
    {%- if pending is none -%} true
    {%- elif not pending.days -%} {{ is_in_months(column, pending.months) }}
    {%- else -%} ({{ is_in_months(column, pending.months) }} or {{ column }} in ({{ date_literals(pending.days) }}))
    {%- endif -%}
{%- endmacro %}

{# Before the pending months are taken out: what the months hold that only gain days. #}
{% macro keep_grown_months() -%}
    {%- set grown_months = pending_usage().grown_months if is_incremental() else [] -%}
    {%- if grown_months -%}
        create or replace temp table grown_month as select * from {{ this }}
        where month in ({{ date_literals(grown_months) }})
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}
