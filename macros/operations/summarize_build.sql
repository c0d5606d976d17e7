{#- None if one of these tables is missing, as after a build of selected models. -#}
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
