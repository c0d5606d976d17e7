{#- Typed and empty, for when there is nothing to read: no file may be opened then. -#}

{% macro empty_event_logs() %}
    {{- return("(select cast(null as varchar) as filename, cast(null as varchar) as line where false)") -}}
{% endmacro %}

{#- A comparison with constants; false for an empty list, whose type SQL cannot tell. As IN, it
    would be asked of every row, in as many steps as there are constants; this way DuckDB only
    asks it of file names, once. -#}
{% macro is_one_of(expression, values) %}
    {{- return('list_contains([' ~ sql_strings(values) ~ '], ' ~ expression ~ ')' if values else 'false') -}}
{% endmacro %}

{#- With the columns that a model declares. -#}
{% macro empty_relation(columns) %}
    {%- set typed = [] -%}
    {%- for column in columns.values() %}{% do typed.append('cast(null as ' ~ column.data_type ~ ') as ' ~ column.name) %}{% endfor -%}
    {{- return('(select ' ~ typed | join(', ') ~ ' where false)') -}}
{% endmacro %}
