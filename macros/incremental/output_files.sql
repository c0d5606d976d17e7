{#- Puts the files below the output folder into variables of the session: pidgin_files, and those that may
    not be read, with the reason, into pidgin_files_unreadable. The check needs Python; without the plugin
    an unreadable file stops the build, and DuckDB names it. -#}
{% macro list_output_files() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- do set_files(
        'pidgin_files',
        glob_literal(pidgin_output_dir()) ~ '/**/*[jJ][sS][oO][nN]*',
        is_log_or_manifest('file')
    ) -%}
    {%- do run_query("set variable pidgin_unreadable_folders = " ~ (
        "unreadable_folders(" ~ sql_string(pidgin_output_dir()) ~ ")" if has_plugin() else "cast([] as varchar[])"
    )) -%}
{% endmacro %}

{#- macOS writes files named ._name beside others on some disks; they are not logs. -#}
{% macro is_log_or_manifest(path) -%}
    regexp_matches(
        {{ path }}, '[/\\](manifest\.json|[^/\\]*\.(?i:(jsonl|ndjson)(\.gz|\.zst)?))$'
    )
    and not regexp_matches({{ path }}, '[/\\]\._[^/\\]*$')
{%- endmacro %}

{% macro set_files(variable, pattern, condition='true') %}
    {%- set problem = 'file_problem(file)' if has_plugin() else 'cast(null as varchar)' -%}
    {%- do run_query(
        "set variable " ~ variable ~ "_found = (select list({'source_file': file, 'problem': " ~ problem ~ "}"
        ~ " order by file) from glob(" ~ sql_string(pattern) ~ ") where " ~ condition ~ ")"
    ) -%}
    {%- set found = "coalesce(getvariable('" ~ variable ~ "_found'), [])" -%}
    {%- do run_query(
        "set variable " ~ variable ~ " = cast(list_transform(list_filter(" ~ found ~ ", lambda found: found.problem is null),"
        ~ " lambda found: " ~ literal_pattern('found.source_file') ~ ") as varchar[])"
    ) -%}
    {%- do run_query(
        "set variable " ~ variable ~ "_unreadable = cast(list_filter(" ~ found ~ ", lambda found: found.problem is not null)"
        ~ " as struct(source_file varchar, problem varchar)[])"
    ) -%}
{% endmacro %}

{#- As glob_literal, for a path that SQL computes. -#}
{% macro literal_pattern(path) -%}
    regexp_replace({{ path }}, '([\[*?])', '[\1]', 'g')
{%- endmacro %}

{% macro patterns_of(path, files) -%}
    (select cast(coalesce(list({{ literal_pattern(path) }} order by {{ path }}), []) as varchar[]) from {{ files }})
{%- endmacro %}

{#- The files that a variable of the session lists, as filename, content, size and last_modified.
    _pidgin__sources.yml says why dbt_project.yml is in the list. -#}
{% macro read_blobs_of(variable) -%}
    (
        select * from read_blob(list_prepend('dbt_project.yml', getvariable({{ sql_string(variable) }})))
        where filename != 'dbt_project.yml'
    )
{%- endmacro %}
