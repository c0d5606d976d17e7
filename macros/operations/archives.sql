{#- What an archive holds, and which may be read. docs/decisions/0004-archives.md says why. -#}

{#- Hands the archives to the session, in the variable pidgin_archives. -#}
{% macro list_archives() %}
    {%- if execute %}{% do set_files('pidgin_archives', archive_pattern()) %}{% endif -%}
{% endmacro %}

{% macro archive_pattern() %}
    {{- return(glob_literal(pidgin_archive_dir()) ~ '/**/*.parquet') -}}
{% endmacro %}

{#- Why an archive cannot be read, or NULL. Only Python can try; without the plugin a damaged one
    stops the build, and DuckDB names it. -#}
{% macro archive_problem(path) -%}
    {%- if has_plugin() -%}
        archive_problem({{ path }})
    {%- else -%}
        cast(null as varchar)
    {%- endif -%}
{%- endmacro %}

{#- The archives that the last look at the archive folder found whole. -#}
{% macro readable_archives() %}
    {%- set ledger = load_relation(ref('stg_archive__archives')) if execute -%}
    {%- if not ledger -%}{{ return([]) }}{%- endif -%}
    {{- return(run_query(
        "select source_file from " ~ ledger ~ " where problem is null order by source_file"
    ).columns[0].values() | list) -}}
{% endmacro %}

{#- An archive that was taken away takes its lines along, unlike a log: nothing else holds them. -#}
{% macro forget_missing_archives() %}
    delete from {{ this }}
    where source_file not in (select file from glob({{ sql_string(archive_pattern()) }}))
{% endmacro %}

{% macro read_archives(archives) %}
    {{- return(
        "read_parquet([" ~ literal_paths(archives)
        ~ "], filename = true, hive_partitioning = false, union_by_name = true)"
    ) -}}
{% endmacro %}

{#- The column line_part of archives. Those of the first format have none: their lines are whole. -#}
{% macro archived_line_part(archives) -%}
    {%- if archives and run_query(
        "select count(*) from parquet_schema([" ~ literal_paths(archives) ~ "]) where name = 'line_part'"
    ).rows[0][0] -%}
        coalesce(line_part, 1)
    {%- else -%}
        1
    {%- endif -%}
{%- endmacro %}

{#- A file that was archived more than once is what it was when it was last. Named one by one, because there
    are few, and a join would keep queries from passing over archives. -#}
{% macro superseded_files(archives) %}
    {%- if archives | length < 2 -%}{{ return([]) }}{%- endif -%}
    {{- return(run_query(
        "select filename, source_file from " ~ read_archives(archives) ~ " where line_number = 0 qualify"
        ~ " row_number() over (partition by source_file order by archived_at desc, filename) > 1"
        ~ " order by filename, source_file"
    ).rows) -}}
{% endmacro %}

{#- At every build, until the archive is whole or gone. -#}
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

{#- What an archive holds in the same state leaves the store of logs or manifests; the archive
    speaks for it. -#}
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

{#- The lines of these archives in the shape of the event store. -#}
{% macro archived_lines(archives) -%}
    with

    documents as (

        select
            *,
            if(line_kind = 'event' and event_data is null, {{ event_document('line') }}, null)
                as document

        from {{ read_archives(archives) if archives else empty_archive() }}

        {% for file in superseded_files(archives) %}
        {{ 'where' if loop.first else 'and' }}
            not (
                filename = {{ sql_string(file['filename']) }}
                and source_file = {{ sql_string(file['source_file']) }}
            )
        {% endfor %}

    )

    select
        {{ sql_string(pidgin_output_dir().rstrip('/') ~ '/') }} || source_file as source_file,
        line_number,
        {{ archived_line_part(archives) }} as line_part,
        line_kind,
        event_id,
        event_type,
        conversation_id,
        logged_experiment_id as experiment_id,
        turn_number,
        agent_id,
        recorded_timestamp,
        timestamp,
        event_date,
        coalesce(
            event_data,
            {{ event_data(
                'document',
                is_nested_event('document', "json_extract_string(document, '$.conversation_id')"),
                'recorded_timestamp',
                'event_type'
            ) }}
        ) as event_data,
        reason,
        line_start,
        size_bytes,
        modified_at,
        md5,
        content,
        experiment_id as archived_experiment_id,
        filename as archive_file

    from documents
    {%- if has_forgotten() %}

    where
        coalesce(conversation_id not in (select id from {{ forgotten() }} where kind = 'conversation'), true)
        and experiment_id not in (select id from {{ forgotten() }} where kind = 'experiment')
    {%- endif %}
{%- endmacro %}

{#- dbt runs an operation in a transaction that it never commits. The next one is for its end. What an
    operation changed, the next build looks at. -#}
{% macro commit_operation() %}
    {%- do forget_noted_relations() -%}
    {%- do run_query("commit; begin transaction") -%}
{% endmacro %}

{#- Text from outside for a terminal, which obeys some characters instead of showing them. -#}
{% macro printable(text) %}
    {{- return(modules.re.sub(
        '[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]', '\ufffd', text | string
    )) -}}
{% endmacro %}

{#- Ids as an option of an operation. -#}
{% macro check_experiment_ids(experiment_ids, known) %}
    {%- if experiment_ids is string or experiment_ids is not iterable -%}
        {{ exceptions.raise_compiler_error("experiment_ids must be a list, such as [experiment_0d6d95b2].") }}
    {%- endif -%}
    {%- set unknown = experiment_ids | reject('in', known) | list -%}
    {%- if unknown -%}
        {{ exceptions.raise_compiler_error(printable("There is no such experiment here: " ~ unknown | join(', '))) }}
    {%- endif -%}
{% endmacro %}
