{#- Seeds, views, functions and tables as dbt and dbt-duckdb make them, except that a relation is skipped
    if neither its definition nor, for tables, a relation that it reads has changed. Rebuilding costs dbt
    more than the database, and there are more than fifty relations.
    docs/decisions/0013-unchanged-relations.md says why this is correct. -#}
{% materialization seed, adapter='duckdb' -%}
    {%- set change = change_of_relation(model.checksum.checksum) -%}
    {%- if not change -%}
        {#- dbt expects the loaded rows: none. -#}
        {% call noop_statement('agate_table', 'NO-OP', 'NO-OP') %}{% endcall %}
        {{ return(unchanged_relation()) }}
    {%- endif -%}
    {%- do begin_change(change) -%}
    {%- set made = dbt.materialization_seed_default() -%}
    {%- do end_change(change) -%}
    {{ return(made) }}
{%- endmaterialization %}

{% materialization view, adapter='duckdb' -%}
    {%- set change = change_of_relation(sql) -%}
    {%- if not change %}{{ return(unchanged_relation()) }}{% endif -%}
    {%- do begin_change(change) -%}
    {%- set is_replaced = not (pre_hooks or post_hooks) and not (load_cached_relation(this) or this).is_table -%}
    {%- set made = replaced_view() if is_replaced else dbt.materialization_view_default() -%}
    {%- do end_change(change) -%}
    {{ return(made) }}
{%- endmaterialization %}

{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- set change = change_of_relation(sql) -%}
    {%- if not change %}{{ return(unchanged_relation()) }}{% endif -%}
    {%- if model.language == 'sql' and not config.get('contract').enforced
        and not (load_cached_relation(this) or this).is_view -%}
        {{ return(refresh_relation(change, 'create or replace table ' ~ this ~ ' as (' ~ sql ~ ')')) }}
    {%- endif -%}
    {%- do begin_change(change) -%}
    {%- set made = dbt.materialization_table_duckdb() -%}
    {%- do end_change(change) -%}
    {{ return(made) }}
{%- endmaterialization %}

{% materialization table_function, adapter='duckdb' -%}
    {%- set change = change_of_relation(sql) -%}
    {%- if not change %}{{ return(unchanged_relation()) }}{% endif -%}
    {%- do begin_change(change) -%}
    {%- set made = dbt.materialization_table_function_duckdb() -%}
    {%- do end_change(change) -%}
    {{ return(made) }}
{%- endmaterialization %}

{#- The compiled SQL differs between the first and later builds, so the source is compared. -#}
{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- set change = change_of_relation(model.raw_code) -%}
    {%- if not change %}{{ return(unchanged_relation()) }}{% endif -%}
    {{ return(changed_increment(change)) }}
{%- endmaterialization %}

{% macro changed_increment(change) %}
    {%- if change.is_of_inputs and config.get('contract').enforced -%}
        {{ return(refresh_relation(change, changed_rows())) }}
    {%- endif -%}
    {%- do begin_change(change) -%}
    {%- set made = dbt.materialization_incremental_duckdb() -%}
    {%- do end_change(change) -%}
    {{ return(made) }}
{% endmacro %}

{#- dbt would create a second view, rename it and drop the old one: eight queries instead of three. -#}
{% macro replaced_view() %}
    {%- if config.get('contract').enforced %}{% do get_assert_columns_equivalent(sql) %}{% endif -%}
    {% call statement('main', auto_begin=false) -%}
        create or replace view {{ this }} as ({{ sql }})
    {%- endcall %}
    {{- return({'relations': [this.incorporate(type='view')]}) -}}
{% endmacro %}

{#- A table that declares no columns is replaced. If a table declares columns and only its inputs changed,
    it already has these columns: dbt checked them when it made the table. So one statement is enough
    instead of dbt's ten, and the note changes in the same transaction as the rows. -#}
{% macro refresh_relation(change, statements) %}
    {%- set notes_itself = not is_compared_by_rows(model) -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {{ statements }}
        {%- if notes_itself %};
            {{ note_statements(model.unique_id, note_of_change(change)) }}
        {%- endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {%- if notes_itself -%}
        {%- do graph.pidgin_relations.update({model.unique_id: note_of_change(change)}) -%}
    {%- else -%}
        {%- do end_change(change) -%}
    {%- endif -%}
    {{- return({'relations': [this.incorporate(type='table')]}) -}}
{% endmacro %}

{#- The SQL of an incremental model's strategy; dbt's own strategies work, too. -#}
{% macro changed_rows() %}
    {%- set changes = this.include(database = false, schema = false).incorporate(path = {'identifier': this.identifier ~ '__changes'}) -%}
    create temporary table {{ changes }} as ({{ sql }});
    {{ adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy') or 'default')({
        'target_relation': this,
        'temp_relation': changes,
        'unique_key': config.get('unique_key'),
        'dest_columns': model.columns.values() | list,
        'incremental_predicates': none
    }) }};
    drop table {{ changes }}
{% endmacro %}

{% macro unchanged_relation() %}
    {% call noop_statement('main', 'NO-OP', 'NO-OP') %}{{ sql }}{% endcall %}
    {{- return({'relations': [load_cached_relation(this) or this]}) -}}
{% endmacro %}

{#- What the current relation would be made of now, or none if it was made of exactly this. -#}
{% macro change_of_relation(source) %}
    {%- if graph.get('pidgin_relations') is none %}{% do read_noted_relations() %}{% endif -%}
    {%- set noted = graph.pidgin_relations.get(model.unique_id) -%}
    {%- set definition = local_md5([graph.pidgin_code, model.config.materialized, source] | join('\n')) -%}
    {%- set to_read = graph.pidgin_to_read.get(model.unique_id) -%}
    {#- dbt does not list functions; the catalog that read_noted_relations compares includes them. -#}
    {%- set kind = model.config.materialized -%}
    {%- set stands = load_cached_relation(this) -%}
    {%- set is_as_defined = noted and not should_full_refresh()
        and noted.definition == definition
        and (kind == 'table_function' or (stands and stands.is_view == (kind == 'view')))
        and (to_read == [] or not reads_outside(model)) -%}
    {#- What those hold is not stored, so inputs do not matter. -#}
    {%- if is_as_defined and kind in ('table_function', 'view') %}{{ return(none) }}{% endif -%}
    {%- set inputs = states_below(model) -%}
    {%- if is_as_defined and inputs and noted.inputs == inputs %}{{ return(none) }}{% endif -%}
    {#- A build that has lost the lock of the lake must not change anything. -#}
    {%- if is_lake() %}{% do run_query("select holds_lock()") %}{% endif -%}
    {{- return({
        'definition': definition,
        'inputs': inputs,
        'is_of_inputs': noted and noted.definition == definition and stands and stands.is_table
            and not should_full_refresh() and model.language == 'sql'
    }) -}}
{% endmacro %}

{#- Models that read files or other things outside the warehouse are checked by every build. Those that
    first list what there is to read note it here, and are skipped if it is nothing. -#}
{% macro note_what_to_read(items) %}
    {%- if execute and graph.get('pidgin_to_read') is not none -%}
        {%- do graph.pidgin_to_read.update({model.unique_id: items}) -%}
    {%- endif -%}
{% endmacro %}

{#- Files are sources. Texts without a vector get one over several builds. -#}
{% macro reads_outside(node) %}
    {%- for id in node.depends_on.nodes if id.startswith('source.') %}{{ return(true) }}{% endfor -%}
    {{- return(node.config.meta.get('asks_embedding_model', false)) -}}
{% endmacro %}

{#- The note is deleted before the relation changes. If the build is killed, the next one makes it again. -#}
{% macro begin_change(change) %}
    {%- set names = [] if is_compared_by_rows(model) else [model.unique_id] -%}
    {%- if config.get('persist_docs', {}).get('columns') %}{% do names.append('comments') %}{% endif -%}
    {#- If two threads want the same name, only one of them finds it. -#}
    {%- for name in names if graph.pidgin_relations.pop(name, none) -%}
        {%- do run_query("delete from staging.relations where name = " ~ sql_string(name)) -%}
    {%- endfor -%}
{% endmacro %}

{#- Notes what a relation was made of; write_notes writes it. The inputs of a store do not include the
    files that it read, so after each reading it counts as changed. So does a relation with an unknown
    input. -#}
{% macro end_change(change) %}
    {%- set note = note_of_change(change) -%}
    {%- if is_compared_by_rows(model) -%}
        {%- do note.update({'content': run_query(
            "select count(*) || ' ' || coalesce(sum(hash(listed)), 0) from " ~ this.include(database = false) ~ " as listed"
        ).rows[0][0]}) -%}
    {%- endif -%}
    {%- do note_relation(model.unique_id, note.definition, note.inputs, note.content) -%}
{% endmacro %}

{% macro note_of_change(change) %}
    {{- return({
        'definition': change.definition,
        'inputs': change.inputs or invocation_id,
        'content': invocation_id if reads_outside(model) else ''
    }) -}}
{% endmacro %}

{#- Lists of files are short, and every build makes them, so their rows are compared. -#}
{% macro is_compared_by_rows(node) %}
    {{- return(reads_outside(node) and node.config.full_refresh != false) -}}
{% endmacro %}

{% macro note_relation(name, definition, inputs='', content='') %}
    {%- set note = {'definition': definition, 'inputs': inputs, 'content': content} -%}
    {%- if graph.pidgin_relations.get(name) != note -%}
        {%- do graph.pidgin_relations.update({name: note}) -%}
        {%- do graph.pidgin_new_notes.append(name) -%}
    {%- endif -%}
{% endmacro %}

{#- Writes the new notes in one query at the end of a build, because each query costs dbt half as much as
    a view. Relations of a killed build have no note and are made again. -#}
{% macro write_notes() %}
    {%- set statements = ["delete from staging.relations where name = 'building'"] if is_lake() else [] -%}
    {%- for name in graph.pidgin_new_notes | unique if name in graph.pidgin_relations -%}
        {%- do statements.append(note_statements(name, graph.pidgin_relations[name])) -%}
    {%- endfor -%}
    {%- if statements %}{% do run_query('begin; ' ~ statements | join('; ') ~ '; commit') %}{% endif -%}
    {%- do graph.pidgin_new_notes.clear() -%}
{% endmacro %}

{% macro note_statements(name, note) %}
    {{- return(
        "delete from staging.relations where name = " ~ sql_string(name)
        ~ "; insert into staging.relations values (" ~ sql_strings([name] + note.values() | list) ~ ")"
    ) -}}
{% endmacro %}

{#- One hash for all inputs of a node; none if one of them is unknown. -#}
{% macro states_below(node) %}
    {%- set states = [] -%}
    {%- for id in node.depends_on.nodes or [] if not id.startswith('source.') -%}
        {%- do states.append(state_of(id)) -%}
    {%- endfor -%}
    {{- return(none if none in states else local_md5(states | join(' '))) -}}
{% endmacro %}

{#- A value that changes with a relation's content; for a view, with that of its inputs. It is asked once
    those have been built, and does not change in this build from then on. -#}
{% macro state_of(id) %}
    {%- if id in graph.pidgin_states %}{{ return(graph.pidgin_states[id]) }}{% endif -%}
    {%- set noted = graph.pidgin_relations.get(id) -%}
    {%- if not noted %}{{ return(none) }}{% endif -%}
    {%- set node = graph.nodes[id] -%}
    {%- set inputs = states_below(node) if node.config.materialized == 'view' else noted.inputs -%}
    {%- if inputs is none %}{{ return(none) }}{% endif -%}
    {%- do graph.pidgin_states.update({id: local_md5([noted.definition, inputs, noted.content] | join(' '))}) -%}
    {{- return(graph.pidgin_states[id]) -}}
{% endmacro %}

{#- Before a build: reads the notes on existing relations, and a hash of what affects all of them (the
    project's files and settings, DuckDB, the command's variables). The view relations_digest gives one
    hash for all notes, by which a published state is recognized. -#}
{% macro read_noted_relations() %}
    {%- do run_query(
        "create schema if not exists staging; create table if not exists staging.relations"
        ~ " (name varchar, definition varchar, inputs varchar, content varchar);"
        ~ " create view if not exists staging.relations_digest as"
        ~ " select md5(string_agg(concat_ws(' ', name, definition, inputs, content), chr(10) order by name)) as digest"
        ~ " from staging.relations"
    ) -%}
    {%- set relations = {} -%}
    {%- for row in run_query("from staging.relations").rows -%}
        {%- do relations.update({row[0]: {'definition': row[1], 'inputs': row[2], 'content': row[3]}}) -%}
    {%- endfor -%}
    {%- if relations and relations.get('catalog', {}).get('definition') != present_catalog() -%}
        {#- A build was killed, or somebody else changed something. -#}
        {%- do run_query("delete from staging.relations") -%}
        {%- do relations.clear() -%}
    {%- endif -%}
    {%- set settings = [
        pidgin_output_dir(), pidgin_archive_dir(), pidgin_timezone(), embedding_model(), has_plugin(),
        flags.EMPTY, invocation_args_dict.vars, dbt_version
    ] -%}
    {%- set code = run_query("select version() || " ~ code_version(
        ['dbt_project.yml', 'selectors.yml', 'models/**/*.sql', 'models/**/*.yml', 'macros/**/*.sql', 'seeds/*'],
        settings = settings | join('\n')
    )).rows[0][0] -%}
    {#- In a lake, the row 'building' stays until the notes are written, so that nobody publishes what a
        killed build left. -#}
    {%- if is_lake() -%}
        {%- do run_query("insert into staging.relations (name) select 'building' where not exists (from staging.relations where name = 'building')") -%}
    {%- endif -%}
    {%- do graph.update({
        'pidgin_relations': relations, 'pidgin_new_notes': [], 'pidgin_code': code, 'pidgin_to_read': {},
        'pidgin_states': {},
    }) -%}
{% endmacro %}

{#- A hash of all columns, comments and functions, except for what publishing adds. The SQL of views is left
    out, because DuckDB does not always write it in the same way. -#}
{% macro present_catalog() %}
    {{- return(run_query(
        "select md5(string_agg(entry, chr(10) order by entry)) from ("
        ~ "select concat_ws(' ', schema_name, table_name, column_name, data_type, comment) as entry"
        ~ " from duckdb_columns() where database_name = current_database() and not internal"
        ~ " union all select concat_ws(' ', schema_name, view_name, comment)"
        ~ " from duckdb_views() where database_name = current_database() and not internal"
        ~ " union all select concat_ws(' ', schema_name, table_name, comment)"
        ~ " from duckdb_tables() where database_name = current_database() and not internal"
        ~ " union all select concat_ws(' ', schema_name, function_name, parameters)"
        ~ " from duckdb_functions() where database_name = current_database() and not internal"
        ~ " and function_type = 'table_macro')"
        ~ " where not starts_with(entry, 'staging published_state')"
    ).rows[0][0]) -}}
{% endmacro %}

{#- For code that changes tables outside the models: the next build then checks every relation. -#}
{% macro drop_notes() %}
    {%- do run_query("drop table if exists staging.relations") -%}
{% endmacro %}
