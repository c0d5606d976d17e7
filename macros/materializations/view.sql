{#- A view as dbt makes it, but one that would be as it is stays, and with it the comments on its
    columns: writing those anew costs more than all else about a view. -#}
{% materialization view, adapter='duckdb' -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set new_relation = make_intermediate_relation(target_relation) -%}
    {%- set backup_relation = make_backup_relation(
        target_relation, 'view' if existing_relation is none else existing_relation.type
    ) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}

    {#- What an interrupted build may have left. -#}
    {{ drop_relation_if_exists(load_cached_relation(new_relation)) }}
    {{ drop_relation_if_exists(load_cached_relation(backup_relation)) }}

    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('main') -%}
        {{ get_create_view_as_sql(new_relation, sql) }}
    {%- endcall %}

    {#- Only where there are comments to keep: telling costs more than making a view anew. -#}
    {%- set is_unchanged = existing_relation is not none
        and existing_relation.is_view
        and config.persist_column_docs()
        and view_definition(existing_relation) == view_definition(new_relation) -%}
    {%- if is_unchanged -%}
        {{ drop_relation_if_exists(new_relation) }}
    {%- else -%}
        {%- if existing_relation is not none -%}
            {{ adapter.rename_relation(existing_relation, backup_relation) }}
        {%- endif -%}
        {{ adapter.rename_relation(new_relation, target_relation) }}
    {%- endif -%}

    {%- do apply_grants(
        target_relation,
        config.get('grants'),
        should_revoke=should_revoke(existing_relation, full_refresh_mode=True)
    ) -%}
    {%- do persist_docs(target_relation, model) -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}

    {%- if not is_unchanged -%}
        {{ drop_relation_if_exists(backup_relation) }}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}

{#- What a view selects, and the columns with their types that it was made with: a table below it
    may have changed since. -#}
{% macro view_definition(relation) %}
    {%- set place -%}
        database_name = {{ sql_string(relation.database) }}
        and schema_name = {{ sql_string(relation.schema) }}
    {%- endset -%}
    {%- set views = run_query(
        "select regexp_extract(sql, '(?s) AS (.*)', 1) from duckdb_views() where " ~ place
        ~ " and view_name = " ~ sql_string(relation.identifier)
    ).rows -%}
    {%- set columns = run_query(
        "select string_agg(column_name || ' ' || data_type, ', ' order by column_index) from duckdb_columns() where "
        ~ place ~ " and table_name = " ~ sql_string(relation.identifier)
    ).rows -%}
    {{- return([views[0][0] if views else none, columns[0][0]]) -}}
{% endmacro %}
