{# The months (first days) whose interface calls differ from those that int_resource_call_month was built from,
   oldest first. A record that was added, corrected or withdrawn changes the count or one of the sums; comparing
   four numbers a month reads four narrow columns, where building the months reads keys of every record. #}
{% macro changed_call_months() -%}
    {%- if not execute -%} {{ return([]) }} {%- endif -%}
    {{ return(run_query(
        "with admitted_month as ("
        ~ "select " ~ month_of('call_on') ~ " as month, " ~ call_fingerprint() ~ " as fingerprint from "
        ~ source('admitted', 'irs__interface_call') ~ " group by 1), "
        ~ "built_month as (select distinct month, fingerprint from " ~ this ~ ") "
        ~ "select coalesce(admitted_month.month, built_month.month) as month "
        ~ "from admitted_month full join built_month on admitted_month.month = built_month.month "
        ~ "where admitted_month.fingerprint is distinct from built_month.fingerprint order by 1"
    ).columns[0].values() | list) }}
{%- endmacro %}

{# What tells the calls of a month from any other calls. #}
{% macro call_fingerprint() -%}
concat_ws('-', count(*), sum(epoch_us(updated_at)), sum(calls_count), sum(failed_calls_count))
{%- endmacro %}

{# Take the changed months out before they are inserted again; a month that lost all its calls stays out. #}
{% macro delete_changed_call_months() -%}
    {%- if is_incremental() -%}
        {%- set months = changed_call_months() -%}
        {%- if months -%} delete from {{ this }} where month in ({{ date_literals(months) }})
        {%- else -%} select 1
        {%- endif -%}
    {%- else -%} select 1
    {%- endif -%}
{%- endmacro %}
