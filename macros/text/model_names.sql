{#- What a model's name is looked up by: logs and people spell the same name with other capitals
    and with white space around it. -#}
{% macro model_key(name) -%}
    lower(trim({{ name }}))
{%- endmacro %}
