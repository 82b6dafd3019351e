{# What `dbt source freshness` compares with the present: now, less the age that the newest data of an admitted table
   has on the day as of which everything is computed. So a history that ends last year is as fresh as its own last day
   allows, and a source that fell behind the others is stale whenever it is asked. Of a table that several sources
   fill, the source that is furthest behind counts. #}
{% macro newest_data_at(relation) -%}
with table_of_state as (
    select
        newest_business_on,
        source || '__' || entity as table_name,
        entity as shape_name
    from {{ source('control', 'source_state') }}
)

select cast(now() as timestamp) - to_days(cast(greatest({{ as_of_on() }} - min(newest_business_on), 0) as integer))
from table_of_state
where '{{ relation.identifier }}' in (table_name, shape_name)
{%- endmacro %}
