{#- One query for all columns of a model. NaN is above every number, and between bounds there is nothing
    infinite; where a bound is missing, both have to be looked for. -#}
{% test values_in_range(model) %}

{%- set faults = {} -%}
{%- for node in graph.get('nodes', {}).values()
    if node.resource_type in ('model', 'seed')
    and node.schema == model.schema and node.alias == model.identifier -%}
    {%- for column in node.columns.values() -%}
        {%- set range = column.meta.range -%}
        {%- if range is mapping -%}
            {%- for field, bounds in range.items() -%}
                {%- set number = column.name ~ '.' ~ field -%}
                {%- do faults.update({number: outside(number, bounds)}) -%}
            {%- endfor -%}
        {%- elif range -%}
            {%- do faults.update({
                column.name: outside(column.name, range, column.data_type == 'double')
            }) -%}
        {%- elif column.meta.one_of -%}
            {%- do faults.update({
                column.name: column.name ~ ' not in (' ~ sql_strings(column.meta.one_of) ~ ')'
            }) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endfor -%}
{%- if execute and not faults -%}
    {%- do exceptions.raise_compiler_error(model ~ ' has no column with a range in its meta.') -%}
{%- endif -%}

select
    concat_ws(
        ', '
        {%- for name, fault in faults.items() %},
        if({{ fault }}, '{{ name }}', null)
        {%- endfor %}
    ) as columns_out_of_range,
    count(*) as row_count

from {{ model }}

where
    false
    {%- for fault in faults.values() %}
    or {{ fault }}
    {%- endfor %}

group by all

{% endtest %}
