{#- Runs after every command that builds something: publishes a build, and says its last lines, what the
    tables hold, what this build read, where the warehouse is and what to look at next. -#}
{% macro end_build(results) %}
    {#- Hooks are compiled with all else. -#}
    {%- if not execute or flags.WHICH in ('compile', 'generate') -%}{{ return('') }}{%- endif -%}
    {%- if flags.WHICH in ('build', 'run') -%}
        {%- do drop_emptied_columns() -%}
        {%- do write_comments() -%}
    {%- endif -%}
    {%- if graph.get('pidgin_relations') is not none -%}
        {%- do note_relation('catalog', present_catalog()) -%}
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

{#- The tables that the last lines speak of, by name; none where one is missing, as after a build of a
    selection. -#}
{% macro summarized_tables() %}
    {%- set tables = {} -%}
    {%- for name in ['experiments', 'conversations', 'turn_metrics', 'messages', 'stg_pidgin__files', 'event_files'] -%}
        {%- set node = graph.nodes['model.' ~ project_name ~ '.' ~ name] -%}
        {%- set table = adapter.get_relation(database = node.database, schema = node.schema, identifier = node.alias) -%}
        {%- if not table %}{{ return({}) }}{% endif -%}
        {%- do tables.update({name: table}) -%}
    {%- endfor -%}
    {{- return(tables) -}}
{% endmacro %}

{#- What a build read: each store notes that in the graph, the one place that all nodes of a build
    share. -#}
{% macro reading_summary(tables, log_count) %}
    {%- set logs_read = graph.pidgin_to_read.get('model.' ~ project_name ~ '.stg_pidgin__event_lines') -%}
    {%- if log_count == 0 -%}
        {{- return("No event logs below " ~ pidgin_output_dir() ~ ": what the tables hold of it was read before, or comes from archives.") -}}
    {%- elif logs_read is none -%}
        {{- return("This build did not look for new event logs; " ~ counted(log_count, 'log') ~ " at the last look.") -}}
    {%- elif not logs_read -%}
        {{- return("Nothing new in " ~ counted(log_count, 'event log') ~ " below " ~ pidgin_output_dir() ~ ".") -}}
    {%- endif -%}
    {%- set lines = run_query(
        "select coalesce(sum(line_count), 0)::bigint, coalesce(sum(duplicate_count), 0)::bigint,"
        ~ " coalesce(sum(rejected_count), 0)::bigint, count(*) from " ~ tables.event_files
        ~ " where source_file in (select unnest([" ~ sql_strings(logs_read) ~ "]))"
    ).rows[0] -%}
    {{- return(
        "Read " ~ counted(lines[3], 'event log') ~ " of " ~ '{:,}'.format(log_count) ~ " below " ~ pidgin_output_dir() ~ ": "
        ~ counted(lines[0], 'line') ~ ", of which " ~ '{:,}'.format(lines[1]) ~ " repeat another and "
        ~ '{:,}'.format(lines[2]) ~ " are rejected" ~ (" (see rejected_lines)" if lines[2] else "") ~ "."
    ) -}}
{% endmacro %}

{% macro counted(number, name) %}
    {{- return('{:,}'.format(number | int) ~ ' ' ~ name ~ ('' if number == 1 else 's')) -}}
{% endmacro %}

{#- A line that may hold text from outside. -#}
{% macro say(text) %}
    {%- do log(printable(text), info = true) -%}
{% endmacro %}
