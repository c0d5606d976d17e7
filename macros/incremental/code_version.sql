{#- A hash of files of this project and of settings that change what their SQL computes. Rows keep it,
    directly or in their fingerprint, so that rows of an older definition are found and recomputed.
    Comments are included: computing once too often is better than a number that nobody trusts. -#}
{% macro code_version(patterns, settings='') -%}
    {#- Paths are relative to the project, so that readers take no columns from the names of folders
        above it. -#}
    (
        select
            if(
                count(*) > 0,
                md5(string_agg(content, chr(10) order by filename) || {{ sql_string(settings) }}),
                error('The SQL of the project is not where dbt found the project.')
            )
        from read_text([{{ sql_strings(patterns) }}])
    )
{%- endmacro %}

{% macro reading_version() -%}
    {{ code_version(
        [
            'models/staging/pidgin/*.sql', 'models/staging/pidgin/_pidgin__sources.yml',
            'macros/incremental/changed_files.sql', 'macros/incremental/empty_relations.sql',
            'macros/incremental/output_files.sql', 'macros/text/event_documents.sql',
            'macros/text/numbers.sql', 'macros/text/repeated_keys.sql'
        ],
        settings = var('rejected_line_length')
    ) }}
{%- endmacro %}

{% macro computing_version() -%}
    {{ code_version(
        [
            'models/staging/**/*.sql', 'models/intermediate/**/*.sql', 'models/marts/**/*.sql',
            'macros/**/*.sql'
        ],
        settings = 'with zlib' if has_plugin() else 'without zlib'
    ) }}
{%- endmacro %}
