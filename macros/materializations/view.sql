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
        and are_same_views(existing_relation, new_relation) -%}
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

{#- Whether two views of one schema select the same and were made with the same columns of the same
    types: a table below them may have changed in between. -#}
{% macro are_same_views(one, other) %}
    {%- set place -%}
        database_name = {{ sql_string(one.database) }} and schema_name = {{ sql_string(one.schema) }}
    {%- endset -%}
    {%- set names = sql_strings([one.identifier, other.identifier]) -%}
    {#- Until a view is renamed, DuckDB prints some names of types in quotation marks. -#}
    {%- set distinct_definitions -%}
        with

        views as (
            select
                view_name,
                regexp_replace(
                    regexp_extract(sql, '(?s) AS (.*)', 1), '"([A-Z]+)"', '\1', 'g'
                ) as query
            from duckdb_views()
            where {{ place }} and view_name in ({{ names }})
        ),

        columns as (
            select
                table_name,
                string_agg(column_name || ' ' || data_type, ', ' order by column_index) as types
            from duckdb_columns()
            where {{ place }} and table_name in ({{ names }})
            group by table_name
        )

        select count(distinct (views.query, columns.types))
        from views
        inner join columns on views.view_name = columns.table_name
    {%- endset -%}
    {{- return(run_query(distinct_definitions).rows[0][0] == 1) -}}
{% endmacro %}
