{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'source_file',
        full_refresh = false,
        contract = {'enforced': true},
        pre_hook = "{% if is_incremental() and has_plugin() %}{{ drop_archived_files(this, ref('stg_archive__lines')) }}{% endif %}",
        post_hook = ["drop table if exists temp.read_event_lines", "{{ delete_copies() }}"],
    )
}}

{%- set logs = read_changed_event_logs(
    ref('stg_pidgin__files'),
    source('pidgin', 'event_logs'),
    this,
    ref('stg_archive__lines'),
) %}
{%- do note_what_to_read(logs.files) %}

with

changed_files as (

    {{ file_constants(logs.files) }}

),

text_files as (

    select
        source_file,
        min(rowid) as first_row,
        max(rowid) as last_row

    from read_event_lines

    group by source_file

),

text_lines as (

    select
        read_event_lines.*,
        read_event_lines.rowid - text_files.first_row + 1 as line_number,
        read_event_lines.rowid = text_files.last_row as is_last_line

    from read_event_lines

    inner join text_files
        on read_event_lines.source_file = text_files.source_file

),

-- A byte string printed as text escapes every byte that is not printable ASCII and the
-- backslash itself, so here \x0A can only be the line feed. Without a byte order mark.
binary_files as (

    select
        {{ original_file('filename', logs.copies) }} as source_file,
        string_split_regex(
            regexp_replace(cast(content as varchar), '^\\xEF\\xBB\\xBF', ''),
            '\\x0D\\x0A|\\x0A|\\x0D'
        ) as escaped_lines

    from {{ read_blobs(logs.binary) }}

),

escaped_lines as (

    select
        source_file,
        generate_subscripts(escaped_lines, 1) as line_number,
        len(escaped_lines) as line_count,
        unnest(escaped_lines) as escaped_line

    from binary_files

),

decoded_lines as (

    select
        source_file,
        line_number,
        line_number = line_count as is_last_line,
        try(decode(cast(escaped_line as blob))) as line,
        escaped_line

    from escaped_lines

),

binary_lines as (

    {{ parsed_lines('decoded_lines', mends_keys = logs.binary | length > 0) }}

),

-- What is used more than once is read again, and not kept in memory meanwhile.
whole_lines as not materialized (

    select
        *,
        1 as line_part

    from text_lines

    union all by name

    select
        *,
        1 as line_part

    from binary_lines

),

-- Two writers at once, or one that was stopped and began again, may leave two events on a line,
-- or half of one before another. Where a document begins inside a line that is none, the parts
-- are looked at one by one.
glued_lines as (

    select
        source_file,
        line_number,
        is_last_line,
        {{ parts_of_line('glued_line') }} as line_parts

    from whole_lines

    where glued_line is not null

),

glued_parts as (

    select
        source_file,
        line_number,
        is_last_line,
        generate_subscripts(line_parts, 1) as line_part,
        len(line_parts) as part_count,
        unnest(line_parts) as line,
        cast(null as varchar) as escaped_line

    from glued_lines

),

parsed_parts as (

    {{ parsed_lines('glued_parts', mends_keys = logs.holds_glued) }}

),

-- Parts only count where one of them is an event; else the line is rejected as it stands.
saved_lines as (

    select
        source_file,
        line_number

    from parsed_parts

    group by source_file, line_number

    having bool_or(event_type is not null)

),

saved_parts as (

    select
        parsed_parts.* replace (
            parsed_parts.is_last_line
            and parsed_parts.line_part = parsed_parts.part_count as is_last_line
        )

    from parsed_parts

    semi join saved_lines
        on
            parsed_parts.source_file = saved_lines.source_file
            and parsed_parts.line_number = saved_lines.line_number

),

lines as not materialized (

    select whole_lines.*

    from whole_lines

    anti join saved_lines
        on
            whole_lines.source_file = saved_lines.source_file
            and whole_lines.line_number = saved_lines.line_number

    union all by name

    select * exclude (part_count) from saved_parts

),

-- A file without a single event that Pidgin knows is the log of another program.
pidgin_files as (

    select distinct source_file

    from lines

    where is_known_event

),

classified_lines as (

    select
        lines.* exclude (event_type, event_id, event_data, reason, line_start),
        lines.event_type is not null and pidgin_files.source_file is null as is_foreign,
        if(is_foreign, null, lines.event_type) as event_type,
        if(is_foreign, null, lines.event_id) as event_id,
        if(is_foreign, null, lines.event_data) as event_data,
        if(is_foreign, 'no line of the file is an event of Pidgin', lines.reason) as reason,
        if(is_foreign or lines.event_type is null, lines.line_start, null) as line_start,
        case
            when is_foreign then 'rejected'
            when lines.event_type is not null then 'event'
            -- Its writer may still be in the middle of this line.
            when
                not lines.is_json
                and lines.is_last_line
                and not {{ is_one_of('lines.source_file', logs.terminated) }}
                then 'pending'
            else 'rejected'
        end as line_kind

    from lines

    left join pidgin_files
        on lines.source_file = pidgin_files.source_file

    where not lines.is_blank

),

-- A row for each file itself, numbered 0: what of it was read, also where no line is kept. A
-- file that went away since it was listed has none, and keeps the rows that it had.
files as (

    select
        changed_files.source_file,
        changed_files.size_bytes,
        changed_files.modified_at,
        changed_files.is_settled,
        changed_files.problem as reason,
        0 as line_number,
        0 as line_part,
        'file' as line_kind

    from changed_files

    where
        changed_files.source_file in (select text_files.source_file from text_files)
        or {{ is_one_of('changed_files.source_file', logs.empty) }}

),

files_and_lines as (

    select * from files

    union all by name

    select * from classified_lines

),

read_lines as (

    select
        source_file,
        cast(line_number as bigint) as line_number,
        cast(line_part as integer) as line_part,
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
        is_settled,
        if(line_number = 0, {{ reading_version() }}, null) as reading_version

    from files_and_lines

)

{{ without_forgotten('read_lines') }}
