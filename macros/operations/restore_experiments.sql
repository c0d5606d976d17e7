{#- The reverse of archive_experiments: logs and manifests are written where they were, byte by byte
    as they were, and the archives removed. The next build reads the logs again.

        dbt run-operation restore_experiments --args '{experiment_ids: [experiment_0d6d95b2]}'
-#}
{% macro restore_experiments(experiment_ids, keep_archives=false) %}
    {%- if not has_plugin() -%}
        {{ exceptions.raise_compiler_error("Archives are restored with Python: use the target dev.") }}
    {%- endif -%}
    {%- do insist_on_the_present() -%}
    {%- set lines = ref('stg_archive__lines') -%}
    {%- set held = readable_archives() -%}
    {%- set owners = [] -%}
    {%- if held -%}
        {%- set owners = run_query(
            "select distinct experiment_id, filename from " ~ read_archives(held)
            ~ " where line_number = 0 order by filename"
        ).rows -%}
    {%- endif -%}
    {%- do check_experiment_ids(experiment_ids, owners | map(attribute='experiment_id') | list) -%}
    {#- Also those whose files are in another archive in a later state: they would speak again. -#}
    {%- set archives = [] -%}
    {%- for owner in owners if owner['experiment_id'] in experiment_ids -%}
        {%- do archives.append(owner['filename']) -%}
    {%- endfor -%}
    {%- for archive in archives -%}
        {%- set files = run_query(
            "select " ~ path_below_output_dir('source_file') ~ " from " ~ lines
            ~ " where line_number = 0 and archive_file = " ~ sql_string(archive)
        ).columns[0].values() | list -%}
        {%- do run_query(
            "select restore_archive(" ~ sql_string(archive) ~ ", "
            ~ sql_string(pidgin_output_dir()) ~ ", [" ~ sql_strings(files) ~ "])"
        ) -%}
        {%- do log(printable(files | length ~ " files restored from " ~ archive), info = true) -%}
    {%- endfor -%}
    {%- if not keep_archives -%}
        {%- do leave_out_archives(archives) -%}
        {%- for archive in archives %}{% do run_query("select remove_file(" ~ sql_string(archive) ~ ")") %}{% endfor -%}
        {%- do log("Their events are back after the next dbt build.", info = true) -%}
    {%- endif -%}
{% endmacro %}

{#- Archives that are about to go speak no longer. -#}
{% macro leave_out_archives(archives) %}
    {%- set ledger = ref('stg_archive__archives') -%}
    {%- do run_query("delete from " ~ ledger ~ " where " ~ is_one_of('source_file', archives)) -%}
    {%- do run_query(
        "create or replace view " ~ ref('stg_archive__lines') ~ " as " ~ archived_lines(readable_archives())
    ) -%}
    {%- do commit_operation() -%}
{% endmacro %}
