{# Seeds on Spark: their types are DuckDB's, and their rows go in as literals of one statement. dbt-spark binds values of
   a session without escaping quotes, and an empty cell as the text None. #}

{% macro spark__create_csv_table(model, agate_table) -%}
    {%- set sql -%}
    create table {{ this.render() }} (
        {%- for name in agate_table.column_names %}
        {{ adapter.quote(name) }} {{ spark_type_of_seed_column(model, agate_table, name, loop.index0) }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
    {{ file_format_clause() }}
    {{ location_clause() }}
    {%- endset -%}
    {%- call statement('_') -%} {{ sql }} {%- endcall -%}
    {{ return(sql) }}
{%- endmacro %}

{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- if not agate_table.rows -%} {{ return('') }} {%- endif -%}
    {%- set sql -%}
    insert into {{ this.render() }}
    select
        {%- for name in agate_table.column_names %}
        cast({{ adapter.quote(name) }} as {{ spark_type_of_seed_column(model, agate_table, name, loop.index0) }}){{ ',' if not loop.last }}
        {%- endfor %}
    from values
        {%- for row in agate_table.rows %}
        ({%- for value in row -%} {{ spark_text(value) }}{{ ', ' if not loop.last }} {%- endfor -%}){{ ',' if not loop.last }}
        {%- endfor %}
    as seeded ({%- for name in agate_table.column_names -%} {{ adapter.quote(name) }}{{ ', ' if not loop.last }} {%- endfor -%})
    {%- endset -%}
    {%- do adapter.add_query(sql, abridge_sql_log=True) -%}
    {{ return(sql) }}
{%- endmacro %}

{% macro spark_type_of_seed_column(model, agate_table, name, position) -%}
    {%- set given = model.config.get('column_types', {}).get(name) -%}
    {{ return(adapter.in_spark_type(given) if given else adapter.convert_type(agate_table, position)) }}
{%- endmacro %}

{# A cell as a text literal of Spark, where a backslash and a quote are escaped; an empty cell is null. #}
{% macro spark_text(value) -%}
    {%- if value is none -%} {{ return('cast(null as string)') }} {%- endif -%}
    {{ return("'" ~ (value | string | replace('\\', '\\\\') | replace("'", "\\'")) ~ "'") }}
{%- endmacro %}
