{# What must be there before the models are built on Spark; `dbt run-operation prepare_spark`. Each source is a table over
   the Parquet files that `spark_city.py export` wrote: <folder>/<schema>/<table>/. #}
{% macro prepare_spark(folder) -%}
    {%- do run_query("create schema if not exists engine") -%}
    {%- do run_query(spark_text_of_double()) -%}
    {%- for schema in graph.sources.values() | map(attribute='schema') | unique -%}
        {%- do run_query("create schema if not exists " ~ schema) -%}
    {%- endfor -%}
    {%- for table in graph.sources.values() -%}
        {%- set relation = table.schema ~ '.' ~ adapter.quote(table.identifier) -%}
        {%- do run_query("drop table if exists " ~ relation) -%}
        {%- do run_query(
            "create table " ~ relation ~ " using parquet location '" ~ folder ~ "/" ~ table.schema ~ "/"
            ~ table.identifier ~ "'"
        ) -%}
    {%- endfor -%}
{%- endmacro %}

{# A double as DuckDB writes it: 10000000.0 and 0.0005 where Spark writes 1.0E7 and 5.0E-4. Digits are Spark's. #}
{% macro spark_text_of_double() -%}
    {%- set is_plain = "cast(given as double) = 0 or abs(cast(given as double)) >= 1e-4 and abs(cast(given as double)) < 1e16" -%}
create or replace function engine.text_of_double(given string) returns string return
    case
        when given not like '%E%' then given
        when {{ is_plain }}
            then regexp_replace(
                regexp_replace(cast(cast(given as decimal(38, 20)) as string), '0+$', ''), '[.]$', '.0'
            )
        else concat(
            regexp_replace(substring_index(given, 'E', 1), '[.]0$', ''), 'e',
            case when given like '%E-%' then '-' else '+' end,
            lpad(replace(substring_index(given, 'E', -1), '-', ''), greatest(2, length(replace(substring_index(given, 'E', -1), '-', ''))), '0')
        )
    end
{%- endmacro %}

{# The rows of every model that is a view and that readers see, as Parquet: <folder>/<schema>/<name>/. Its tables lie as
   Parquet already. `dbt run-operation write_views_of_spark` #}
{% macro write_views_of_spark(folder) -%}
    {%- for node in graph.nodes.values() -%}
        {%- if node.resource_type == 'model' and node.config.materialized == 'view' and node.schema in ('marts', 'evaluation') -%}
            {%- do run_query(
                "insert overwrite directory '" ~ folder ~ "/" ~ node.schema ~ "/" ~ node.alias
                ~ "' using parquet select * from " ~ node.schema ~ "." ~ adapter.quote(node.alias)
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
