{#- The table of forgotten ids. No build creates or drops it; most warehouses do not have it. -#}
{% macro forgotten() %}
    {{- return(api.Relation.create(database = target.database, schema = 'staging', identifier = 'forgotten')) -}}
{% endmacro %}

{% macro has_forgotten() %}
    {%- if not execute -%}{{ return(false) }}{%- endif -%}
    {{- return(run_query(
        "select count(*) from duckdb_tables() where database_name = " ~ sql_string(target.database)
        ~ " and schema_name = 'staging' and table_name = 'forgotten'"
    ).rows[0][0] > 0) -}}
{% endmacro %}

{#- Lines of logs. Of a forgotten line, only its file and number are kept. -#}
{% macro without_forgotten(lines) -%}
    {%- if not has_forgotten() -%}
        select * from {{ lines }}
    {%- else -%}
        select read.*
        from {{ lines }} as read
        anti join ({{ forgotten_lines(lines, forgotten()) }}) as left_out
            on
                read.source_file = left_out.source_file
                and read.line_number = left_out.line_number
                and read.line_part = left_out.line_part

        union all by name

        select
            source_file,
            line_number,
            line_part,
            'forgotten' as line_kind
        from ({{ forgotten_lines(lines, forgotten()) }})
    {%- endif -%}
{%- endmacro %}

{#- The lines that belong to forgotten ids: those of a forgotten conversation, in one log where others
    have the same id; those that by their content
    or folder belong to a forgotten experiment; and of lines without a conversation, those that name a
    forgotten one, and all in a log in which every conversation is forgotten. -#}
{% macro forgotten_lines(lines, ids) -%}
    with

    named_lines as (

        select
            source_file,
            line_number,
            coalesce(line_part, 1) as line_part,
            conversation_id,
            if(conversation_id is null, coalesce(line_start, cast(event_data as varchar)), null) as text,
            coalesce(
                conversation_id in (select id from {{ ids }} where kind = 'conversation')
                or conversation_id || ' in ' || source_file
                in (select id from {{ ids }} where kind = 'conversation in log'),
                false
            )
            or {{ experiment_of_line() }} in (select id from {{ ids }} where kind = 'experiment')
                as is_named

        from {{ lines }}

        where line_number > 0

    ),

    logs as (

        select
            source_file,
            bool_and(is_named) filter (where conversation_id is not null) as is_whole

        from named_lines

        group by source_file

    )

    select
        named_lines.source_file,
        named_lines.line_number,
        named_lines.line_part

    from named_lines

    inner join logs
        on named_lines.source_file = logs.source_file

    where
        named_lines.is_named
        or (
            named_lines.conversation_id is null
            and (
                logs.is_whole
                or exists (
                    select 1
                    from {{ ids }} as forgotten
                    where
                        forgotten.kind = 'conversation'
                        and contains(named_lines.text, forgotten.id)
                )
            )
        )
{%- endmacro %}

{% macro experiment_of_line() -%}
    coalesce(
        experiment_id,
        nullif(
            regexp_extract(conversation_id, '^conv_((?:exp|experiment)_[0-9a-f]{8})_[0-9a-f]{8}$', 1), ''
        ),
        {{ experiment_id_from_path('source_file', sql_string(pidgin_output_dir())) }}
    )
{%- endmacro %}

{% macro manifest_without_forgotten(manifest, source_file) -%}
    {%- if not has_forgotten() -%}
        {{ manifest }}
    {%- else -%}
        {%- set ids = {'conversation': [], 'experiment': []} -%}
        {%- for row in run_query(
            "select kind, id from " ~ forgotten() ~ " where kind in ('conversation', 'experiment')"
        ).rows %}{% do ids[row['kind']].append(row['id']) %}{% endfor -%}
        {{ manifest_without(
            manifest,
            source_file,
            '[' ~ sql_strings(ids.conversation) ~ ']::varchar[]',
            '[' ~ sql_strings(ids.experiment) ~ ']::varchar[]'
        ) }}
    {%- endif -%}
{%- endmacro %}

{#- The manifest of a forgotten experiment becomes an empty object, which counts as a manifest of another
    program. -#}
{% macro manifest_without(manifest, source_file, conversation_ids, experiment_ids) -%}
    case
        when list_contains(
            {{ experiment_ids }},
            coalesce(
                nullif(json_extract_string({{ manifest }}, '$.experiment_id'), ''),
                {{ experiment_id_from_path(source_file, sql_string(pidgin_output_dir())) }}
            )
        )
            then cast('{}' as json)
        when
            json_type({{ manifest }}, '$.conversations') = 'OBJECT'
            and list_has_any(json_keys({{ manifest }}, '$.conversations'), {{ conversation_ids }})
            then json_merge_patch(
                {{ manifest }},
                json_object(
                    'conversations',
                    to_json(map({{ conversation_ids }}, list_transform({{ conversation_ids }}, lambda id: null)))
                ),
                -- What is forgotten is not missing.
                if(
                    json_type({{ manifest }}, '$.total_conversations') = 'UBIGINT',
                    json_object(
                        'total_conversations',
                        try_cast(json_extract({{ manifest }}, '$.total_conversations') as bigint) - len(list_intersect(
                            json_keys({{ manifest }}, '$.conversations'), {{ conversation_ids }}
                        ))
                    ),
                    cast('{}' as json)
                )
            )
        else {{ manifest }}
    end
{%- endmacro %}
