{{
    config(
        materialized = 'table_function',
        parameters = ['archives'],
        contract = {'enforced': false},
    )
}}

with

archived_lines as (

    select *

    from
        read_parquet(
            archives,  -- noqa: RF02
            filename = true,
            hive_partitioning = false,
            union_by_name = true
        )

    union all by name

    -- Archives of the first format have no such column.
    select cast(null as integer) as line_part

    where false

),

documents as (

    select
        *,
        if(line_kind = 'event' and event_data is null, {{ event_document('line') }}, null)
            as document

    from archived_lines

)

select
    {{ sql_string(pidgin_output_dir().rstrip('/') ~ '/') }} || source_file as source_file,
    line_number,
    coalesce(line_part, 1) as line_part,
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
    filename as archive_file,
    archived_at

from documents
