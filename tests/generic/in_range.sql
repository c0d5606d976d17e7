{% test in_range(model, column_name, min=none, max=none) %}

select {{ column_name }} as out_of_range

from {{ model }}

where
    false
    {% if min is not none -%}
        or {{ column_name }} < {{ min }}
    {%- endif %}
    {% if max is not none -%}
        or {{ column_name }} > {{ max }}
    {%- endif %}

{% endtest %}
