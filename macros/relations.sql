{#- DuckLake chooses the compression of its files itself and accepts no setting for it. -#}
{% macro duckdb__get_table_columns_and_constraints() %}
    {%- set columns = table_columns_and_constraints() -%}
    {{- return(columns | replace(' using compression zstd', '') if is_lake() else columns) -}}
{% endmacro %}

{#- Relations are named without their database: a view that names it only works in a file of that
    name, and a warehouse may be copied, renamed or attached under another one. -#}
{% macro ref() %}
    {%- do return(builtins.ref(*varargs, **kwargs).include(database = false)) -%}
{% endmacro %}
