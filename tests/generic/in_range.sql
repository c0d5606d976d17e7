{% test in_range(model, columns=none, column_name=none, min=none, max=none) %}

{%- set numbers = (columns or [column_name]) | join(', ') %}

select {{ numbers }}

from {{ model }}

where
    false
    {% if min is not none -%}
        or least({{ numbers }}) < {{ min }}
    {%- endif %}
    {% if max is not none -%}
        or greatest({{ numbers }}) > {{ max }}
    {%- endif %}

{% endtest %}
