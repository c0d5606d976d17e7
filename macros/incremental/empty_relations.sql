{#- Typed and empty, for when there is nothing to read: no file may be opened then. -#}

{% macro empty_event_logs() %}
    {{- return("(select cast(null as varchar) as filename, cast(null as varchar) as line where false)") -}}
{% endmacro %}

{#- With the columns that a model declares. -#}
{% macro empty_relation(columns) %}
    {%- set typed = [] -%}
    {%- for column in columns.values() %}{% do typed.append('cast(null as ' ~ column.data_type ~ ') as ' ~ column.name) %}{% endfor -%}
    {{- return('(select ' ~ typed | join(', ') ~ ' where false)') -}}
{% endmacro %}
