{#- The strategy `replace_changed`, for tables with rows per conversation or experiment. Each row
    keeps the fingerprint of what it was computed from; the model named by
    `meta: fingerprints` has the current ones. Rows whose key is gone or has another
    fingerprint there are deleted, even if there are no new rows for the key. New rows are
    inserted in the same transaction. -#}
{% macro get_incremental_replace_changed_sql(arguments) %}
    {%- set target = arguments.target_relation -%}
    {%- set key = arguments.unique_key -%}
    {#- Found by its node, because a model may read its fingerprints through a view and have no ref. -#}
    {%- set current_node = 'model.' ~ project_name ~ '.' ~ config.get('meta')['fingerprints'] -%}
    {%- set current = graph.nodes[current_node].relation_name -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}

    delete from {{ target }}
    where ({{ key }}, fingerprint) not in (select {{ key }}, fingerprint from {{ current }});

    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ arguments.temp_relation }}
{% endmacro %}

{#- The strategy `replace_changed_texts`, for a table in which only one row per key has the fingerprint,
    because in every row it would be larger than the rest. All rows of a key are deleted together. -#}
{% macro get_incremental_replace_changed_texts_sql(arguments) %}
    {%- set target = arguments.target_relation -%}
    {%- set key = arguments.unique_key | join(', ') -%}
    {%- set current_node = 'model.' ~ project_name ~ '.' ~ config.get('meta')['fingerprints'] -%}
    {%- set current = graph.nodes[current_node].relation_name -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}

    delete from {{ target }}
    where ({{ key }}) in (
        select {{ key }}
        from {{ target }}
        where
            fingerprint is not null
            and ({{ key }}, fingerprint) not in (select {{ key }}, fingerprint from {{ current }})
    );

    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ arguments.temp_relation }}
{% endmacro %}
