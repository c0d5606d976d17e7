{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'source_file',
        on_schema_change = 'append_new_columns',
        full_refresh = false,
    )
}}

{%- set event_logs = source('pidgin', 'event_logs') %}
{%- set logs = changed_event_logs(source('pidgin', 'event_log_files'), event_logs, this) %}

with

changed_files as (

    {{ file_constants(logs.files) }}

),

text_lines as (

    select
        filename as source_file,
        row_number() over () as position,
        line

    from {{ event_logs if logs.text else empty_event_logs() }}

    -- Constants, because only they keep the reader from opening the other files.
    where {{ is_one_of('filename', logs.text) }}

),

first_positions as (

    select
        source_file,
        min(position) - 1 as lines_before

    from text_lines

    group by source_file

),

-- A byte string printed as text escapes every byte that is not printable ASCII and the
-- backslash itself, so here \x0A can only be the line feed.
binary_files as (

    select
        filename as source_file,
        string_split(cast(content as varchar), '\x0A') as escaped_lines

    from {{ read_blobs(logs.binary) if logs.binary else empty_blobs() }}

),

binary_lines as (

    select
        source_file,
        unnest(escaped_lines) as escaped_line,
        generate_subscripts(escaped_lines, 1) as line_number

    from binary_files

),

numbered_lines as (

    select
        text_lines.source_file,
        text_lines.position - first_positions.lines_before as line_number,
        text_lines.line,
        cast(null as varchar) as escaped_line

    from text_lines

    inner join first_positions
        on text_lines.source_file = first_positions.source_file

    union all

    select
        source_file,
        line_number,
        try(decode(cast(regexp_replace(escaped_line, '\\x0D$', '') as blob))) as line,
        escaped_line

    from binary_lines

),

documents as (

    select
        *,
        coalesce(
            try_cast(line as json),
            try_cast({{ replace_lone_surrogates('line') }} as json)
        ) as document

    from numbered_lines

),

envelopes as (

    select
        *,
        json_extract_string(document, [
            '$.event_type', '$.timestamp',
            '$.conversation_id', '$.experiment_id', '$.turn_number', '$.agent_id',
            '$.data.conversation_id', '$.data.experiment_id', '$.data.turn_number', '$.data.agent_id'
        ]) as envelope

    from documents

    where
        line is null and escaped_line != ''
        or not regexp_full_match(line, '\s*')

),

-- Until 2025-07-03 the fields of an event were nested under "data".
events as (

    select
        *,
        nullif(envelope[1], '') as event_type,
        envelope[2] as recorded_timestamp,
        envelope[3] is null and json_type(document, '$.data') = 'OBJECT' as is_nested

    from envelopes

),

last_lines as (

    select
        source_file,
        max(line_number) as line_number

    from numbered_lines

    group by source_file

),

parsed_lines as (

    select
        events.source_file,
        events.line_number,
        case
            when events.event_type is not null then 'event'
            -- Its writer may still be in the middle of this line.
            when
                events.document is null
                and last_lines.line_number is not null
                and not {{ is_one_of('events.source_file', logs.terminated) }}
                then 'pending'
            else 'rejected'
        end as line_kind,
        case
            when events.event_type is not null then null
            when events.line is null then 'not valid UTF-8'
            when events.document is null then 'not valid JSON'
            when json_type(events.document) != 'OBJECT' then 'not a JSON object'
            else 'no event_type'
        end as reason,
        if(
            events.event_type is null,
            left(coalesce(events.line, events.escaped_line), {{ var('rejected_line_length') }}),
            null
        ) as line_start,
        if(events.event_type is not null, cast(md5(events.line) as uuid), null) as event_id,
        events.event_type,
        nullif(if(events.is_nested, events.envelope[7], events.envelope[3]), '') as conversation_id,
        nullif(if(events.is_nested, events.envelope[8], events.envelope[4]), '') as experiment_id,
        try_cast(
            if(events.is_nested, events.envelope[9], events.envelope[5]) as integer
        ) as turn_number,
        if(events.is_nested, events.envelope[10], events.envelope[6]) as agent_id,
        events.recorded_timestamp,
        case
            when events.event_type is null then null
            when events.is_nested
                then json_merge_patch(
                    {{ without_history("json_extract(events.document, '$.data')", 'events.event_type') }},
                    json_object(
                        'timestamp', events.recorded_timestamp, 'event_type', events.event_type
                    )
                )
            else {{ without_history('events.document', 'events.event_type') }}
        end as event_data

    from events

    left join last_lines
        on
            events.source_file = last_lines.source_file
            and events.line_number = last_lines.line_number

),

-- A row for the file itself: what of it was read, also where it holds no line. A file that
-- went away since it was listed has none, and keeps the rows that it had.
read_files as (

    select changed_files.*

    from changed_files

    left join last_lines
        on changed_files.source_file = last_lines.source_file

    where
        changed_files.size_bytes = 0
        or last_lines.source_file is not null

),

files_and_lines as (

    select
        *,
        0 as line_number,
        'file' as line_kind

    from read_files

    union all by name

    select *

    from parsed_lines

)

select
    {{ sql_string(pidgin_output_dir()) }} as output_dir,
    source_file,
    cast(line_number as bigint) as line_number,
    line_kind,
    event_id,
    event_type,
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    recorded_timestamp,
    event_data,
    reason,
    line_start,
    size_bytes,
    modified_at,
    is_settled

from files_and_lines
