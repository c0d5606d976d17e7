{#- Named and called as that of dbt_utils, from which dbt and tools that read its manifest learn the
    primary key. Unlike there, a key with a NULL in it fails, too. -#}
{% test unique_combination_of_columns(model, combination_of_columns) %}

select
    {{ combination_of_columns | join(', ') }},
    count(*) as row_count

from {{ model }}

group by {{ combination_of_columns | join(', ') }}

having
    count(*) > 1
    or {{ combination_of_columns | join(' is null or ') }} is null

{% endtest %}
