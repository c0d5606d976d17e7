{#- Text that comes from outside (paths, above all) enters SQL only through these. -#}

{% macro sql_string(value) %}
    {{- return("'" ~ (value | string | replace("'", "''")) ~ "'") -}}
{% endmacro %}

{% macro sql_strings(values) %}
    {%- set quoted = [] -%}
    {%- for value in values %}{% do quoted.append(sql_string(value)) %}{% endfor -%}
    {{- return(quoted | join(', ')) -}}
{% endmacro %}

{#- A path in which no character is a wildcard. -#}
{% macro glob_literal(path) %}
    {{- return(path | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]')) -}}
{% endmacro %}

{#- Such paths as string literals. -#}
{% macro literal_paths(paths) %}
    {%- set literals = [] -%}
    {%- for path in paths %}{% do literals.append(glob_literal(path)) %}{% endfor -%}
    {{- return(sql_strings(literals)) -}}
{% endmacro %}

{#- The name of a column or table, whatever characters it holds. -#}
{% macro sql_identifier(name) %}
    {{- return('"' ~ (name | string | replace('"', '""')) ~ '"') -}}
{% endmacro %}

{#- The same of a name that SQL computes. -#}
{% macro sql_identifier_of(name) -%}
    '"' || replace({{ name }}, '"', '""') || '"'
{%- endmacro %}
