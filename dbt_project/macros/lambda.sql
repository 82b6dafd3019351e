{# A function of list_reduce and its like. The arrow is what sqlfluff 4 and DuckDB 1.5 both read; DuckDB 2 wants
   `lambda a, b: expression`, which is then a change of this line. #}
{% macro lambda(parameters, expression) -%}
({{ parameters }}) -> {{ expression }}
{%- endmacro %}
