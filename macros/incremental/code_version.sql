{#- What the SQL of this project says at present, as a hash of its files and of the settings that
    decide what the same SQL gives. Rows keep it, directly or in their fingerprint, so that rows of
    an older definition are found and built anew. A comment counts, too: computing once too often is
    cheaper than a number that nobody trusts. -#}
{% macro code_version(patterns, settings='') -%}
    {#- Relative to the project, where dbt works; whatever folders it lies in, no reader takes a
        column from their names. -#}
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

{#- How files are read. -#}
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

{#- How marts are computed from what was read. -#}
{% macro computing_version() -%}
    {{ code_version(
        [
            'models/staging/archive/*.sql', 'models/intermediate/**/*.sql', 'models/marts/**/*.sql',
            'macros/**/*.sql'
        ],
        settings = 'with zlib' if has_plugin() else 'without zlib'
    ) }}
{%- endmacro %}
