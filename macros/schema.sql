{#- Schemas are named as configured, not prefixed with the target's schema. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{- custom_schema_name or target.schema -}}
{%- endmacro %}
