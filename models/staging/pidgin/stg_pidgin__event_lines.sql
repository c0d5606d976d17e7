{{
    config(
        materialized = 'event_store',
        meta = {'reads': 'log'},
        incremental_strategy = 'delete+insert',
        unique_key = 'source_file',
        full_refresh = false,
        contract = {'enforced': true},
        pre_hook = "{% if is_incremental() and has_plugin() %}{{ drop_archived_files(this, ref('stg_archive__lines')) }}{% endif %}",
        post_hook = "{{ drop_read_lines() }}",
    )
}}

-- The temporary tables in which read_logs has put the lines of changed logs.
-- depends_on: {{ ref('stg_pidgin__files') }}, {{ ref('stg_archive__lines') }}
-- depends_on: {{ source('pidgin', 'event_logs') }}
with

changed_logs as (

    select * from temp.read_logs

),

-- Read again for each use instead of kept in memory.
lines as not materialized (

    select * from temp.read_lines

),

-- A file in which no event is one of Pidgin's is the log of another program.
pidgin_files as (

    select distinct place

    from lines

    where is_known_event

),

classified_lines as (

    select
        lines.* exclude (event_type, event_id, event_data, reason, line_start),
        changed_logs.source_file,
        lines.event_type is not null and pidgin_files.place is null as is_foreign,
        if(is_foreign, null, lines.event_type) as event_type,
        if(is_foreign, null, lines.event_id) as event_id,
        if(is_foreign, null, lines.event_data) as event_data,
        if(is_foreign, 'no line of the file is an event of Pidgin', lines.reason) as reason,
        if(is_foreign or lines.event_type is null, lines.line_start, null) as line_start,
        case
            when is_foreign then 'rejected'
            when lines.event_type is not null then 'event'
            -- Pidgin may still be writing this line.
            when not lines.is_json and lines.is_last_line and not changed_logs.is_terminated
                then 'pending'
            else 'rejected'
        end as line_kind

    from lines

    inner join changed_logs
        on lines.place = changed_logs.place

    left join pidgin_files
        on lines.place = pidgin_files.place

    where not lines.is_blank

),

-- A row with number 0 for each file itself, even if it has no lines. A file that was deleted after
-- it was listed has none, and keeps its earlier rows.
files as (

    select
        source_file,
        size_bytes,
        modified_at,
        is_settled,
        problem as reason,
        0 as line_number,
        0 as line_part,
        'file' as line_kind

    from changed_logs

    where is_read

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
