{#- The moment that the variable as_of names, as SQL; none where the build shows the present. -#}
{% macro as_of_moment() %}
    {%- set moment = var('as_of', none) -%}
    {{- return('timestamptz ' ~ sql_string(moment) if moment else none) -}}
{% endmacro %}

{#- A value that may have been another one before a moment; NULL where the build shows a time
    before it, because nothing says what it was then. -#}
{% macro known_since(moment, value) -%}
    {%- if as_of_moment() -%}
        if({{ moment }} <= {{ as_of_moment() }}, {{ value }}, null)
    {%- else -%}
        {{ value }}
    {%- endif -%}
{%- endmacro %}
