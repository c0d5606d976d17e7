{#- The moment that the variable as_of names, as SQL; none where the build shows the present. With
    its offset, so that views mean the same moment in whatever zone they are read. -#}
{% macro as_of_moment() %}
    {%- set moment = var('as_of', '') | string -%}
    {%- if not moment or not execute -%}{{ return(none) }}{%- endif -%}
    {{- return("timestamptz '" ~ run_query(
        "select strftime(timezone('UTC', cast(" ~ sql_string(moment) ~ " as timestamptz)), '%Y-%m-%d %H:%M:%S.%f+00')"
    ).rows[0][0] ~ "'") -}}
{% endmacro %}

{#- A value that may have been another one before a moment; NULL where the build shows a time
    before it, because nothing says what it was then. -#}
{% macro unchanged_since(moment, value) -%}
    {%- set as_of = as_of_moment() -%}
    {{ 'if(' ~ moment ~ ' <= ' ~ as_of ~ ', ' ~ value ~ ', null)' if as_of else value }}
{%- endmacro %}

{#- Whether the warehouse shows a past moment; the profile names its file so. A lake is chosen by that
    moment. -#}
{% macro is_past_warehouse() %}
    {{- return(var('as_of', '') | string | length > 0 if is_lake() else '_as_of_' in target.path.split('/')[-1]) -}}
{% endmacro %}
