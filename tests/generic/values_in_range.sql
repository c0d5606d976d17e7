{% test values_in_range(model) %}

{%- set ranges = [] -%}
{%- for node in graph.get('nodes', {}).values()
    if node.resource_type in ('model', 'seed')
    and node.schema == model.schema and node.alias == model.identifier -%}
    {%- for column in node.columns.values() -%}
        {%- do ranges.extend(tested_ranges(column)) -%}
    {%- endfor -%}
{%- endfor -%}
{%- if execute and not ranges -%}
    {%- do exceptions.raise_compiler_error(model ~ ' has no column with a range in its meta.') -%}
{%- endif -%}

-- All numbers of a table in one pass. NaN is above every number, and so the largest. A whole number
-- is always finite, so where it has no bound there is nothing to look at.
with extremes as (

    select
        unnest([{{ sql_strings(ranges | map(attribute='name')) }}]) as column_name,
        unnest(cast([
            {%- for range in ranges %}
            {{ 'min(' ~ range.number ~ ')' if range.low is number or not range.is_whole else 'null' }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        ] as double[])) as smallest,
        unnest(cast([
            {%- for range in ranges %}
            {{ 'max(' ~ range.number ~ ')' if range.high is number or not range.is_whole else 'null' }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        ] as double[])) as largest,
        unnest(cast([
            {%- for range in ranges %}{{ range.low if range.low is number else 'null' }}{{ ', ' if not loop.last }}{% endfor -%}
        ] as double[])) as lower_bound,
        unnest(cast([
            {%- for range in ranges %}{{ range.high if range.high is number else 'null' }}{{ ', ' if not loop.last }}{% endfor -%}
        ] as double[])) as upper_bound

    from {{ model }}

)

select *

from extremes

where
    smallest < lower_bound
    or largest > upper_bound
    or not isfinite(smallest)
    or not isfinite(largest)

{% endtest %}
