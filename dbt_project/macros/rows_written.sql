{# How many rows an incremental model appends, told to whoever listens to the build: dbt-duckdb answers only "OK".
   The rows lie in the temporary table already, whose length DuckDB knows. #}
{% macro duckdb__get_incremental_append_sql(arg_dict) -%}
    {%- set counted = run_query("select count(*) from " ~ arg_dict["temp_relation"]) -%}
    {%- do log("oneledger rows written: " ~ counted.columns[0].values()[0]) -%}
    {{ return(default__get_incremental_append_sql(arg_dict)) }}
{%- endmacro %}
