{#- What Pidgin puts in place of a reply that never came: "[API error: <the error>]" in
    1.1.0, one fixed sentence from July 2025 to 1.0.x. -#}
{% macro is_api_error_placeholder(content) -%}
    (
        (starts_with({{ content }}, '[API error: ') and ends_with({{ content }}, ']'))
        or {{ content }} = '[Unable to generate response due to API error]'
    )
{%- endmacro %}
