{#- The hooks of dbt_project.yml: what happens before and after a build. -#}
{#- on-run-start: runs before every command that builds something. -#}
{% macro begin_build() %}
    {%- if execute -%}
        {#- All nodes of a build share the graph. An earlier build of the same process may have left notes
            in it. -#}
        {%- do graph.update({
            'pidgin_resolved_paths': none, 'pidgin_relations': none, 'pidgin_to_read': none,
            'changed_columns': {'models': [], 'stores': []},
        }) -%}
        {%- if flags.WHICH in ('build', 'run') -%}
            {%- do check_configuration() -%}
            {%- do read_noted_relations() -%}
            {%- do heal_columns() -%}
        {%- elif flags.WHICH in ('seed', 'snapshot') -%}
            {%- do read_noted_relations() -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{#- on-run-end: runs after every command that builds something. It publishes a build and prints its last
    lines: what the tables hold, what was read, where the warehouse is and what to look at next. -#}
{% macro end_build(results) %}
    {#- `dbt compile` compiles hooks, too. -#}
    {%- if not execute or flags.WHICH in ('compile', 'generate') -%}{{ return('') }}{%- endif -%}
    {%- if flags.WHICH in ('build', 'run') -%}
        {%- do drop_emptied_columns() -%}
        {%- do write_comments() -%}
    {%- endif -%}
    {%- if graph.get('pidgin_relations') is not none -%}
        {%- if graph.pidgin_new_notes %}{% do note_relation('catalog', present_catalog()) %}{% endif -%}
        {%- do write_notes() -%}
    {%- endif -%}
    {%- set outcome = publish(results) -%}
    {%- set tables = summarized_tables() if flags.WHICH == 'build' and not flags.EMPTY else {} -%}
    {%- if tables -%}
        {%- set counts = run_query(
            "select (select count(*) from " ~ tables.experiments ~ "), (select count(*) from " ~ tables.conversations ~ "),"
            ~ " (select count(*) from " ~ tables.turn_metrics ~ "), (select count(*) from " ~ tables.messages ~ "),"
            ~ " (select count(*) from " ~ tables.stg_pidgin__files ~ " where file_kind = 'log')"
        ).rows[0] -%}
        {%- do say(
            "The tables hold " ~ counted(counts[0], 'experiment') ~ ", " ~ counted(counts[1], 'conversation') ~ ", "
            ~ counted(counts[2], 'complete turn') ~ " and " ~ counted(counts[3], 'message') ~ "."
        ) -%}
        {%- do say(reading_summary(tables, counts[4])) -%}
    {%- endif -%}
    {%- if outcome or tables -%}
        {%- do say("Warehouse: " ~ warehouse_name() ~ (", " ~ outcome if outcome else "") ~ ".") -%}
    {%- endif -%}
    {%- if tables -%}
        {%- do say("Begin with: select * from analysis.conversations; questions and their SQL: docs/questions.md.") -%}
        {%- for file in run_query(
            "select source_file, problem from " ~ tables.stg_pidgin__files ~ " where problem is not null order by source_file"
        ).rows -%}
            {%- do exceptions.warn(printable("WARNING: left out, because it may not be read: " ~ file['source_file'] ~ " (" ~ file['problem'] ~ ").")) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
