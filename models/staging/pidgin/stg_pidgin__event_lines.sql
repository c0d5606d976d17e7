{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'source_file',
        on_schema_change = 'append_new_columns',
        full_refresh = false,
        contract = {'enforced': true},
        pre_hook = "{% if is_incremental() and has_python_function('archive_problem') %}{{ drop_archived_files(this, ref('stg_archive__lines')) }}{% endif %}",
        post_hook = "drop table if exists temp.read_event_lines",
    )
}}

{%- set logs = read_changed_event_logs(
    source('pidgin', 'event_log_files'),
    source('pidgin', 'event_logs'),
    this,
    ref('stg_archive__lines'),
) %}

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
        filename as source_file,
        string_split_regex(
            regexp_replace(cast(content as varchar), '^\\xEF\\xBB\\xBF', ''),
            '\\x0D\\x0A|\\x0A|\\x0D'
        ) as escaped_lines

    from {{ read_blobs(logs.binary) if logs.binary else empty_blobs() }}

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

lines as (

    select * from text_lines

    union all by name

    select * from binary_lines

),

classified_lines as (

    select
        * exclude (is_json, is_blank, is_last_line),
        case
            when event_type is not null then 'event'
            -- Its writer may still be in the middle of this line.
            when
                not is_json
                and is_last_line
                and not {{ is_one_of('source_file', logs.terminated) }}
                then 'pending'
            else 'rejected'
        end as line_kind

    from lines

    where not is_blank

),

-- A row for each file itself, numbered 0: what of it was read, also where no line is kept. A
-- file that went away since it was listed has none, and keeps the rows that it had.
files as (

    select
        changed_files.*,
        0 as line_number,
        'file' as line_kind

    from changed_files

    where
        changed_files.source_file in (select text_files.source_file from text_files)
        or {{ is_one_of('changed_files.source_file', logs.binary + logs.empty) }}

),

files_and_lines as (

    select * from files

    union all by name

    select * from classified_lines

)

select
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
    is_settled,
    if(line_number = 0, {{ reading_version() }}, null) as reading_version

from files_and_lines
