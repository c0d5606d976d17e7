{#- The incremental strategy of everything keyed by conversation or experiment. Each row
    keeps the fingerprint of what it was built from; the relation named by
    `meta: fingerprints` holds the present ones. Rows whose key has another fingerprint
    there, or is gone, are deleted, also where nothing comes back for them; what is new
    comes in the same transaction. -#}
{% macro get_incremental_replace_changed_sql(arguments) %}
    {%- set target = arguments.target_relation -%}
    {%- set key = arguments.unique_key -%}
    {#- By its node: a model may come to its fingerprints through a view, and so have no ref. -#}
    {%- set current_node = 'model.' ~ project_name ~ '.' ~ config.get('meta')['fingerprints'] -%}
    {%- set current = graph.nodes[current_node].relation_name -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}

    delete from {{ target }}
    where ({{ key }}, fingerprint) not in (select {{ key }}, fingerprint from {{ current }});

    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ arguments.temp_relation }}
{% endmacro %}

{#- The same for texts of which only one row notes the fingerprint, because in each it would weigh more
    than the rest. All rows of its key go with it. -#}
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
