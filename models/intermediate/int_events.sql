{{ config(materialized = 'view') }}

with

event_lines as (

    select * from {{ ref('int_event_lines') }}

),

duplicate_lines as (

    select * from {{ ref('int_duplicate_lines') }}

),

unique_lines as (

    select event_lines.*

    from event_lines

    anti join duplicate_lines
        on
            event_lines.source_file = duplicate_lines.source_file
            and event_lines.line_number = duplicate_lines.line_number
            and event_lines.is_archived = duplicate_lines.is_archived

)

select
    event_id,
    event_type,
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    {{ event_time('recorded_timestamp') }} as timestamp,
    event_data,
    source_file,
    line_number,
    is_archived

from unique_lines
