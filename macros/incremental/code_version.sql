{#- What the SQL of this project says at present, as a hash of its files. Rows keep it, directly
    or in their fingerprint, so that rows of an older definition are found and built anew. A
    comment counts, too: computing once too often is cheaper than a number that nobody trusts. -#}
{% macro code_version(patterns) -%}
    {%- set project_dir = invocation_args_dict.get('project_dir') or '.' -%}
    {%- set paths = [] -%}
    {%- for pattern in patterns -%}
        {%- do paths.append(glob_literal(project_dir) ~ '/' ~ pattern) -%}
    {%- endfor -%}
    (
        select
            if(
                count(*) > 0,
                md5(string_agg(content, chr(10) order by filename)),
                error('The SQL of the project is not where dbt found the project.')
            )
        from read_text([{{ sql_strings(paths) }}])
    )
{%- endmacro %}

{#- How files are read. -#}
{% macro reading_version() -%}
    {{ code_version([
        'models/staging/pidgin/*.sql', 'macros/incremental/changed_files.sql',
        'macros/incremental/empty_relations.sql', 'macros/text/event_documents.sql'
    ]) }}
{%- endmacro %}

{#- How marts are computed from what was read. -#}
{% macro computing_version() -%}
    {{ code_version(['models/intermediate/*.sql', 'models/marts/**/*.sql', 'macros/**/*.sql']) }}
{%- endmacro %}
