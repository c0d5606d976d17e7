{#- For builds with nothing to read, in which no file may be opened. -#}

{% macro empty_event_logs() %}
    {{- return("(select cast(null as varchar) as filename, cast(null as varchar) as line where false)") -}}
{% endmacro %}

{% macro empty_relation(columns) %}
    {%- set typed = [] -%}
    {%- for column in columns.values() %}{% do typed.append('cast(null as ' ~ column.data_type ~ ') as ' ~ column.name) %}{% endfor -%}
    {{- return('(select ' ~ typed | join(', ') ~ ' where false)') -}}
{% endmacro %}
