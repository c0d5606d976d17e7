{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'source_file',
        on_schema_change = 'append_new_columns',
        full_refresh = false,
        pre_hook = "{% if is_incremental() and has_python_function('archive_problem') %}{{ drop_archived_files(this, ref('stg_archive__lines')) }}{% endif %}",
    )
}}

{%- set event_logs = source('pidgin', 'event_logs') %}
{%- set logs = changed_event_logs(
    source('pidgin', 'event_log_files'), event_logs, this, ref('stg_archive__lines')
) %}

with

changed_files as (

    {{ file_constants(logs.files) }}

),

-- The reader keeps the order of lines, one file after the other; it does not number them.
-- Windows without partition or order go along with it, and need neither sort nor memory.
read_lines as (

    select
        filename as source_file,
        line,
        row_number() over () as place,
        coalesce(lag(filename) over () != filename, true) as is_first_line,
        coalesce(lead(filename) over () != filename, true) as is_last_line

    from {{ event_logs if logs.text else empty_event_logs() }}

    -- Constants, because only they keep the reader from opening the other files.
    where {{ is_one_of('filename', logs.text) }}

),

text_lines as (

    select
        source_file,
        -- sqlfluff knows no frame without an order.
        place + 1 - max(if(is_first_line, place, null)) over (rows unbounded preceding) -- noqa: PRS
            as line_number,
        is_last_line,
        line,
        cast(null as varchar) as escaped_line

    from read_lines

),

-- A byte string printed as text escapes every byte that is not printable ASCII and the
-- backslash itself, so here \x0A can only be the line feed. Without a byte order mark.
binary_files as (

    select
        filename as source_file,
        string_split_regex(
            regexp_replace(cast(content as varchar), '^\\xEF\\xBB\\xBF', ''),
            '\\x0D\\x0A|\\x0A|\\x0D'
        ) as escaped_lines

    from {{ read_blobs(logs.binary) if logs.binary else empty_blobs() }}

),

binary_lines as (

    select
        source_file,
        generate_subscripts(escaped_lines, 1) as line_number,
        len(escaped_lines) as line_count,
        unnest(escaped_lines) as escaped_line

    from binary_files

),

lines as (

    select * from text_lines

    union all

    select
        source_file,
        line_number,
        line_number = line_count as is_last_line,
        try(decode(cast(escaped_line as blob))) as line,
        escaped_line

    from binary_lines

    union all

    -- A file without a line has one blank line here.
    select
        source_file,
        1 as line_number,
        true as is_last_line,
        '' as line,
        cast(null as varchar) as escaped_line

    from changed_files

    where {{ is_one_of('source_file', logs.empty) }}

),

-- Before its first line a row for the file itself, numbered 0: what of it was read, also
-- where no line is kept. A file that went away since it was listed has none, and keeps the
-- rows that it had.
files_and_lines as (

    select
        source_file,
        unnest(if(line_number = 1, [0, 1], [line_number])) as line_number,
        is_last_line,
        line,
        escaped_line

    from lines

),

documents as (

    select
        *,
        if(
            line_number = 0,
            null,
            {{ event_document('line') }}
        ) as document

    from files_and_lines

),

envelopes as (

    select
        *,
        json_extract_string(document, [
            '$.event_type', '$.timestamp',
            '$.conversation_id', '$.experiment_id', '$.turn_number', '$.agent_id',
            '$.data.conversation_id', '$.data.experiment_id',
            '$.data.turn_number', '$.data.agent_id'
        ]) as envelope

    from documents

),

events as (

    select
        *,
        -- A string, that is; asked only of what does not look like one of Pidgin's.
        case
            when regexp_full_match(envelope[1], '\w+Event') then envelope[1]
            when json_type(document, '$.event_type') = 'VARCHAR' then nullif(envelope[1], '')
        end as event_type,
        envelope[2] as recorded_timestamp,
        {{ is_nested_event('document', 'envelope[3]') }} as is_nested

    from envelopes

),

-- From here on without the lines themselves, which are most of the bytes.
parsed_lines as (

    select
        source_file,
        line_number,
        is_last_line,
        event_type,
        recorded_timestamp,
        document is not null as is_json,
        regexp_full_match(coalesce(line, escaped_line, ''), '\s*') as is_blank,
        case
            when event_type is not null or line_number = 0 then null
            when line is null then 'not valid UTF-8'
            when document is null then 'not valid JSON'
            when json_type(document) != 'OBJECT' then 'not a JSON object'
            else 'no event_type'
        end as reason,
        if(
            event_type is null and line_number > 0,
            left(coalesce(line, escaped_line), {{ var('rejected_line_length') }}),
            null
        ) as line_start,
        if(event_type is not null, cast(md5(line) as uuid), null) as event_id,
        nullif(if(is_nested, envelope[7], envelope[3]), '') as conversation_id,
        nullif(if(is_nested, envelope[8], envelope[4]), '') as experiment_id,
        try_cast(if(is_nested, envelope[9], envelope[5]) as integer) as turn_number,
        if(is_nested, envelope[10], envelope[6]) as agent_id,
        if(
            event_type is not null,
            {{ event_data('document', 'is_nested', 'recorded_timestamp', 'event_type') }},
            null
        ) as event_data

    from events

),

classified_lines as (

    select
        *,
        case
            when line_number = 0 then 'file'
            when event_type is not null then 'event'
            -- Its writer may still be in the middle of this line.
            when
                not is_json
                and is_last_line
                and not {{ is_one_of('source_file', logs.terminated) }}
                then 'pending'
            else 'rejected'
        end as line_kind

    from parsed_lines

    where line_number = 0 or not is_blank

)

select
    classified_lines.source_file,
    cast(classified_lines.line_number as bigint) as line_number,
    classified_lines.line_kind,
    classified_lines.event_id,
    classified_lines.event_type,
    classified_lines.conversation_id,
    classified_lines.experiment_id,
    classified_lines.turn_number,
    classified_lines.agent_id,
    classified_lines.recorded_timestamp,
    classified_lines.event_data,
    classified_lines.reason,
    classified_lines.line_start,
    changed_files.size_bytes,
    changed_files.modified_at,
    changed_files.is_settled,
    if(classified_lines.line_number = 0, {{ reading_version() }}, null) as reading_version

from classified_lines

left join changed_files
    on
        if(classified_lines.line_number = 0, classified_lines.source_file, null)
        = changed_files.source_file
