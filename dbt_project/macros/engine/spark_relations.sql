{# Where the SQL of models and tests goes to Spark. Models are DuckDB's SQL; adapter.in_spark_sql says it in Spark's
   (spark/oneledger_spark/dialect.py). These macros stand in the place of dbt-spark's of the same name. #}

{% macro spark__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- if temporary -%} {{ spark__create_temporary_view(relation, compiled_code) }}
    {%- else -%}
    create table {{ relation }}
    {{ file_format_clause() }}
    {{ location_clause() }}
    as
    {{ spark_query_of_contract(adapter.in_spark_sql(compiled_code)) }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__create_temporary_view(relation, compiled_code) -%}
    create or replace temporary view {{ relation }} as
    {{ spark_query_of_contract(adapter.in_spark_sql(compiled_code)) }}
{%- endmacro %}

{% macro spark__create_view_as(relation, sql) -%}
    create or replace view {{ relation }} as
    {{ spark_query_of_contract(adapter.in_spark_sql(sql)) }}
{%- endmacro %}

{# The query with the columns of an enforced contract: exactly these names, in this order, each cast to its type. Spark
   derives other types than DuckDB (a sum of integers, the places of a decimal), so the types are made and not compared;
   in ANSI mode a value that its type cannot hold ends the model. Parquet tables take no constraints, so a null where
   the contract allows none ends the query itself. #}
{% macro spark_query_of_contract(query) -%}
    {%- if not (config.get('contract') and config.get('contract').enforced) -%} {{ return(query) }} {%- endif -%}
    {%- set given = adapter.names_of_query(query) -%}
    {%- set wanted = model.columns.values() | map(attribute='name') | list -%}
    {%- if given | sort != wanted | sort -%}
        {{ exceptions.raise_compiler_error(
            "The query of " ~ model.name ~ " gives the columns " ~ given | sort | join(', ')
            ~ "; its contract demands " ~ wanted | sort | join(', ') ~ "."
        ) }}
    {%- endif -%}
    select
    {%- for column in model.columns.values() %}
        {%- set typed = "cast(" ~ adapter.quote(column.name) ~ " as " ~ adapter.in_spark_type(column.data_type) ~ ")" -%}
        {%- if column.constraints | selectattr('type', 'equalto', 'not_null') | list -%}
            {%- set typed = "coalesce(" ~ typed ~ ", raise_error('" ~ model.name ~ "." ~ column.name ~ " is null'))" -%}
        {%- endif %}
        {{ typed }} as {{ adapter.quote(column.name) }}{{ ',' if not loop.last }}
    {%- endfor %}
    from (
    {{ query }}
    ) as contracted
{%- endmacro %}

{% macro spark__persist_constraints(relation, model) -%}
{%- endmacro %}

{% macro spark__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {{ default__get_test_sql(adapter.in_spark_sql(main_sql), fail_calc, warn_if, error_if, limit) }}
{%- endmacro %}
