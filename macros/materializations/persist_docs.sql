{#- Descriptions as comments in the database, so that database tools show them. dbt would write all of them
    in every build, which is a third of the database's time if nothing is new. Instead, one query at the
    end of a build finds the comments that differ. -#}
{% macro duckdb__persist_docs(relation, model, for_relation=true, for_columns=true) -%}
{%- endmacro %}

{#- Writes the comments that differ, if anything was rebuilt. After a partial build, some relations may
    not exist; those are skipped. -#}
{% macro write_comments() %}
    {%- if graph.pidgin_relations.get('comments', {}).get('definition') == graph.pidgin_code -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set schemas = [] -%}
    {%- set expected = {} -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'model' and node.config.persist_docs.columns -%}
        {%- set lines = [node.description | trim] -%}
        {%- set comments = {} -%}
        {%- for name, column in columns_of(node) | dictsort -%}
            {%- do comments.update({name: column_comment(column)}) -%}
            {%- do lines.append(name ~ ' ' ~ comments[name]) -%}
        {%- endfor -%}
        {%- do schemas.append(node.schema) -%}
        {%- do expected.update({
            node.schema ~ '.' ~ node.alias:
                {'node': node, 'comments': comments, 'digest': local_md5(lines | join('\n'))}
        }) -%}
    {%- endfor -%}
    {%- set statements = [] -%}
    {%- for name, is_view, digest in run_query(
        present_comments(schemas | unique | list)
    ).rows if name in expected and expected[name].digest != digest -%}
        {%- set node = expected[name].node -%}
        {%- set relation = adapter.quote(node.schema) ~ '.' ~ adapter.quote(node.alias) -%}
        {%- do statements.append(
            'comment on ' ~ ('view ' if is_view else 'table ') ~ relation ~ ' is '
            ~ sql_string(node.description | trim)
        ) -%}
        {#- DuckLake stores no comments on columns of views. -#}
        {%- for column, comment in expected[name].comments.items() if not (is_view and is_lake()) -%}
            {%- do statements.append(
                'comment on column ' ~ relation ~ '.' ~ adapter.quote(column) ~ ' is '
                ~ sql_string(comment)
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {#- In one transaction, which is four times as fast. The checkpoint is needed because DuckDB does not
        restore all comments from its write-ahead log. In a lake, a checkpoint would clean up, which a
        build must not do. -#}
    {%- if statements -%}
        {%- do run_query('begin; ' ~ statements | join(';\n') ~ '; commit' ~ ('' if is_lake() else '; checkpoint')) -%}
    {%- endif -%}
    {%- do note_relation('comments', graph.pidgin_code) -%}
{% endmacro %}

{% macro present_comments(schemas) -%}
    with

    relations as (
        select schema_name, table_name, comment, false as is_view
        from duckdb_tables() where schema_name in ({{ sql_strings(schemas) }}) and not internal
        union all
        select schema_name, view_name, comment, true
        from duckdb_views() where schema_name in ({{ sql_strings(schemas) }}) and not internal
    ),

    columns as (
        select
            schema_name,
            table_name,
            string_agg(column_name || ' ' || coalesce(comment, ''), chr(10) order by column_name)
                as comments
        from duckdb_columns()
        where
            schema_name in ({{ sql_strings(schemas) }})
            and database_name = current_database()
            and not internal
        group by schema_name, table_name
    )

    select
        relations.schema_name || '.' || relations.table_name as name,
        relations.is_view,
        md5(coalesce(relations.comment, '') || chr(10) || columns.comments) as digest
    from relations
    inner join columns using (schema_name, table_name)
{%- endmacro %}
