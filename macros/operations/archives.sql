{#- Finding and reading archives; see docs/decisions/0004-archives.md. -#}

{% macro list_archives() %}
    {%- if execute %}{% do set_files('pidgin_archives', archive_pattern()) %}{% endif -%}
{% endmacro %}

{% macro archive_pattern() %}
    {{- return(glob_literal(pidgin_archive_dir()) ~ '/**/*.parquet') -}}
{% endmacro %}

{#- The check needs Python; without the plugin a damaged archive stops the build, and DuckDB names it. -#}
{% macro archive_problem(path) -%}
    {%- if has_plugin() -%}
        archive_problem({{ path }})
    {%- else -%}
        cast(null as varchar)
    {%- endif -%}
{%- endmacro %}

{% macro readable_archives() %}
    {%- set ledger = load_relation(ref('stg_archive__archives')) if execute -%}
    {%- if not ledger -%}{{ return([]) }}{%- endif -%}
    {{- return(run_query(
        "select source_file from " ~ ledger ~ " where problem is null order by source_file"
    ).columns[0].values() | list) -}}
{% endmacro %}

{#- Unlike those of a deleted log, the lines of a removed archive are gone: nothing else holds them. -#}
{% macro delete_missing_archives() %}
    delete from {{ this }}
    where source_file not in (select file from glob({{ sql_string(archive_pattern()) }}))
{% endmacro %}

{#- If several archives hold a file, the newest counts. The others are named one by one, because there are
    few, and with a join DuckDB could not skip archives. -#}
{% macro superseded_files(archives) %}
    {%- if archives | length < 2 -%}{{ return([]) }}{%- endif -%}
    {{- return(run_query(
        "select archive_file, source_file from " ~ ref('stg_archive__lines_of') ~ "([" ~ literal_paths(archives) ~ "])"
        ~ " where line_number = 0 qualify"
        ~ " row_number() over (partition by source_file order by archived_at desc, archive_file) > 1"
        ~ " order by archive_file, source_file"
    ).rows) -}}
{% endmacro %}

{#- A line counts unless a later archive holds its file or it was forgotten. -#}
{% macro archived_line_counts(archives) %}
    {%- set conditions = ['true'] -%}
    {%- for file in superseded_files(archives) -%}
        {%- do conditions.append(
            'not (archive_file = ' ~ sql_string(file['archive_file'])
            ~ ' and source_file = ' ~ sql_string(file['source_file']) ~ ')'
        ) -%}
    {%- endfor -%}
    {%- if has_forgotten() -%}
        {%- for column, kind in [('conversation_id', 'conversation'), ('archived_experiment_id', 'experiment')] -%}
            {%- do conditions.append(
                'coalesce(' ~ column ~ ' not in (select id from ' ~ forgotten() ~ ' where kind = '
                ~ sql_string(kind) ~ '), true)'
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(conditions | join(' and ')) -}}
{% endmacro %}

{% macro warn_of_damaged_archives() %}
    {%- if execute -%}
        {%- for row in run_query(
            "select source_file, problem from " ~ this ~ " where problem is not null order by source_file"
        ).rows -%}
            {%- do exceptions.warn(printable(
                "The archive " ~ row['source_file'] ~ " is left out. It is damaged, or no archive: " ~ row['problem']
            )) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{#- If an archive holds the same version of a file, its lines are dropped from the store of logs or
    manifests. -#}
{% macro drop_archived_files(store, archived_lines) %}
    delete from {{ store }}
    where
        source_file in (
            select stored.source_file
            from {{ store }} as stored
            semi join {{ archived_lines }} as archived
                on
                    stored.source_file = archived.source_file
                    and stored.size_bytes = archived.size_bytes
                    and stored.modified_at = archived.modified_at
        )
{% endmacro %}

{#- A terminal obeys some characters instead of showing them. -#}
{% macro printable(text) %}
    {{- return(modules.re.sub(
        '[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]', '\ufffd', text | string
    )) -}}
{% endmacro %}
