{#- The incremental strategy of everything keyed by conversation or experiment. Each row
    keeps the fingerprint of what it was built from; the relation named by
    `meta: fingerprints` holds the present ones. Rows whose key has another fingerprint
    there, or is gone, are deleted, also where nothing comes back for them; what is new
    comes in the same transaction. -#}
{% macro get_incremental_replace_changed_sql(arguments) %}
    {%- set target = arguments.target_relation -%}
    {%- set key = arguments.unique_key -%}
    {%- set current = ref(config.get('meta')['fingerprints']) -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}

    delete from {{ target }}
    where ({{ key }}, fingerprint) not in (select {{ key }}, fingerprint from {{ current }});

    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ arguments.temp_relation }}
{% endmacro %}
