{#- The tables that keep the lines of files: logs or manifests, as `meta: reads` says. The
    materialization lists and reads new and changed files into temporary tables, from which the model's
    SQL selects. So compiling a model opens no file. Otherwise it is an incremental table, and it stays as it is
    while no file has changed (unchanged_relations.sql). -#}
{% materialization event_store, adapter='duckdb' -%}
    {%- set kind = config.get('meta').reads -%}
    {%- set paths = list_changed_files(kind) -%}
    {%- do note_what_to_read(paths) -%}
    {%- set change = change_of_relation(model.raw_code) -%}
    {%- if not change %}{{ return(unchanged_relation()) }}{% endif -%}
    {%- do context['read_' ~ kind ~ 's'](paths) -%}
    {{ return(changed_increment(change)) }}
{%- endmaterialization %}
