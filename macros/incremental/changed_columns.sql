{#- A warehouse may have been built by another version of the project, in which columns were added,
    dropped, retyped or moved. Before a build, the tables of all incremental models are compared with
    their yml. One that differs is rebuilt, through should_full_refresh; the stores (full_refresh =
    false) keep their rows, because the logs may be gone.
    docs/decisions/0008-changed-columns.md says why. -#}
{% macro heal_columns() %}
    {%- set changed = {'models': [], 'stores': []} -%}
    {#- `graph` is the only place that every model of this run can read. -#}
    {%- do graph.update({'changed_columns': changed}) -%}
    {%- if graph.pidgin_relations.get('columns', {}).get('definition') == graph.pidgin_code -%}
        {{- return('') -}}
    {%- endif -%}
    {%- set standing = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model'
        and node.config.materialized in ('incremental', 'event_store')
        and adapter.get_relation(database = node.database, schema = node.schema, identifier = node.alias) -%}
        {%- do standing.append(node) -%}
    {%- endfor -%}
    {%- for table in (run_query(changed_columns(standing)).rows if standing else []) -%}
        {%- set node = graph.nodes[table['node']] -%}
        {%- if node.config.full_refresh != false -%}
            {%- do changed.models.append(table['node']) -%}
            {%- do log("The columns of " ~ node.name ~ " have changed; it is built anew.", info = true) -%}
        {%- else -%}
            {%- do changed.stores.append(node.relation_name) -%}
            {%- if table['is_reshaped'] -%}
                {%- do run_query(reshape_store(node, table)) -%}
                {%- do log("The columns of " ~ node.name ~ " have changed; its rows took them on.", info = true) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {#- If all are as declared, they are not compared again until the project changes. -#}
    {%- if changed.models or changed.stores -%}
        {%- do drop_notes() -%}
        {%- do read_noted_relations() -%}
    {%- else -%}
        {%- do note_relation('columns', graph.pidgin_code) -%}
    {%- endif -%}
{% endmacro %}

{% macro should_full_refresh() %}
    {%- set configured = config.get('full_refresh') -%}
    {%- if configured is none -%}
        {%- set changed = graph.get('changed_columns', {'models': []}) -%}
        {%- set configured = flags.FULL_REFRESH or model.unique_id in changed.models -%}
    {%- endif -%}
    {{- return(configured) -}}
{% endmacro %}

{#- dbt's own macro is false for every materialization but `incremental`. -#}
{% macro is_incremental() %}
    {{- return(
        execute and (load_cached_relation(this) or this).is_table
        and model.config.materialized in ('incremental', 'event_store') and not should_full_refresh()
    ) -}}
{% endmacro %}

{#- Those of these incremental models that stand in the warehouse with other columns than they declare.
    DuckDB says which type a declared one is. For stores also what reshape_store needs: the columns
    declared, those that stand beside them, and the rows in the new shape. -#}
{% macro changed_columns(nodes) -%}
    {%- set types = [] -%}
    {%- for node in nodes -%}
        {%- do types.extend(node.columns.values() | map(attribute='data_type') | list) -%}
    {%- endfor -%}
    with

    declared_types as (

        select
            column_name as declared_type,
            column_type as data_type

        from (
            describe select
            {% for type in types | unique %}
                cast(null as {{ type }}) as {{ sql_identifier(type) }},
            {% endfor %}
        )

    ),

    declared_columns as (

        select
            columns.*,
            declared_types.data_type

        from (
            values
            {% for node in nodes %}
                {%- set node_loop = loop %}
                {% for column in node.columns.values() %}
                ({{ sql_strings([node.unique_id, node.schema, node.alias, column.name, column.data_type]) }}, {{ loop.index }})
                {{- ',' if not (loop.last and node_loop.last) }}
                {% endfor %}
            {% endfor %}
        ) as columns (node, schema_name, table_name, column_name, declared_type, position)

        inner join declared_types
            on columns.declared_type = declared_types.declared_type

    ),

    standing_columns as (

        select
            nodes.node,
            columns.column_name,
            columns.data_type,
            columns.column_index

        from duckdb_columns() as columns

        -- No views.
        semi join duckdb_tables() as tables
            on columns.table_oid = tables.table_oid and columns.database_oid = tables.database_oid

        inner join (select distinct node, schema_name, table_name from declared_columns) as nodes
            on columns.schema_name = nodes.schema_name and columns.table_name = nodes.table_name

        where columns.database_name = {{ sql_string(target.database) }}

    ),

    all_columns as (

        select
            coalesce(declared_columns.node, standing_columns.node) as node,
            declared_columns.position,
            standing_columns.column_index,
            declared_columns.declared_type,
            {{ sql_identifier_of('coalesce(declared_columns.column_name, standing_columns.column_name)') }} as name,
            name || ' ' || declared_columns.data_type as declared_column,
            name || ' ' || standing_columns.data_type as standing_column

        from declared_columns

        full join standing_columns
            on
                declared_columns.node = standing_columns.node
                and declared_columns.column_name = standing_columns.column_name

    )

    select
        node,
        list(declared_column order by position) filter (where position is not null)
            as declared,
        list(standing_column order by column_index) filter (where column_index is not null)
            as standing,
        list(standing_column order by column_index) filter (where column_index is not null and position is not null)
            is distinct from declared as is_reshaped,
        coalesce(string_agg(', ' || standing_column, '' order by column_index) filter (where position is null), '')
            as other_columns,
        string_agg(name, ', ' order by position, column_index) filter (where column_index is not null)
            as kept_names,
        string_agg(
            if(
                declared_column is null or declared_column = standing_column,
                name,
                'try_cast(' || name || ' as ' || declared_type || ')'
            ),
            ', ' order by position, column_index
        ) filter (where column_index is not null) as kept_values

    from all_columns

    group by node

    -- A table that is not there yet has no column.
    having
        count(column_index) > 0
        and standing is distinct from declared

    order by node
{%- endmacro %}

{#- Copies all rows of a store into its declared columns. A value that the new type cannot hold becomes
    NULL. Other columns are kept after these until no row has a value in them. In one transaction, so
    that a killed build changes nothing. -#}
{% macro reshape_store(node, table) %}
    {%- set columns = [] -%}
    {%- for column in node.columns.values() -%}
        {%- set compressions = column.constraints | selectattr('type', 'equalto', 'custom') | map(attribute='expression') | list -%}
        {%- do columns.append(
            ([column.name, column.data_type] + (compressions if not is_lake() else [])) | join(' ')
        ) -%}
    {%- endfor -%}
    {%- set reshaped = sql_identifier(node.schema) ~ '.' ~ sql_identifier(node.alias ~ '__reshaped') -%}
    begin transaction;
    create table {{ reshaped }} ({{ columns | join(', ') }}{{ table['other_columns'] }});
    insert into {{ reshaped }} ({{ table['kept_names'] }})
    select {{ table['kept_values'] }} from {{ node.relation_name }};
    drop table {{ node.relation_name }};
    alter table {{ reshaped }} rename to {{ sql_identifier(node.alias) }};
    commit
{% endmacro %}

{#- After a build: drops columns of stores that are not declared and hold no value any more, because
    every log was read again. -#}
{% macro drop_emptied_columns() %}
    {%- for node in graph.nodes.values() | selectattr('relation_name', 'in', graph.changed_columns.stores) -%}
        {%- set standing = run_query(
            "select column_name from (describe " ~ node.relation_name ~ ")"
        ).columns[0].values() -%}
        {%- for column in standing | reject('in', node.columns) -%}
            {%- set name = sql_identifier(column) -%}
            {%- if run_query("select count(" ~ name ~ ") from " ~ node.relation_name).rows[0][0] == 0 -%}
                {%- do run_query("alter table " ~ node.relation_name ~ " drop column " ~ name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}
