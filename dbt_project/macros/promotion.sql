{# Condition on a row of int_promoted_app under `alias`: what mart_promotion_effect holds of it no longer stands,
   because nothing is there yet, the broadcast moved, or a day inside its window changed. #}
{% macro promotion_is_outdated(alias) -%}
(
    not exists (
        select 1
        from {{ this }} as known
        where
            known.promotion_event_id = {{ alias }}.promotion_event_id
            and known.app_id = {{ alias }}.app_id
            and known.held_on = {{ alias }}.held_on
            and known.window_days = {{ alias }}.window_days
    )
    or exists (
        select 1
        from {{ source('control', 'pending_date') }} as pending
        where
            pending.shape = 'usage'
            and pending.usage_on between {{ alias }}.window_from_on and {{ alias }}.window_to_on
    )
)
{%- endmacro %}

{# Take out what is computed again, and what no broadcast stands for any more. #}
{% macro delete_outdated_promotions() -%}
    {%- if is_incremental() -%}
delete from {{ this }} as known
where not exists (
    select 1
    from {{ ref('int_promoted_app') }} as shown
    where
        shown.promotion_event_id = known.promotion_event_id
        and shown.app_id = known.app_id
        and not {{ promotion_is_outdated('shown') }}
)
    {%- else -%} select 1
    {%- endif -%}
{%- endmacro %}

{# Days inside a window that is computed again, as ranges of literals: DuckDB then skips all other blocks. #}
{% macro is_in_promotion_window(column) -%}
    {%- if not execute or not is_incremental() -%} true
    {%- else -%}
        {%- set windows = run_query(
            "select distinct window_from_on, window_to_on from " ~ ref('int_promoted_app') ~ " as shown where "
            ~ promotion_is_outdated('shown') ~ " order by 1"
        ).rows -%}
        {%- if not windows -%} false
        {%- else -%}
(
            {%- for window in windows %}
        {{ column }} between date '{{ window[0] }}' and date '{{ window[1] }}'{{ ' or' if not loop.last }}
            {%- endfor %}
    )
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
