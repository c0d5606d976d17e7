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

    where event_lines.line_kind = 'event'

)

select
    event_id,
    event_type,
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    timestamp,
    event_date,
    event_data,
    source_file,
    line_number,
    is_archived,
    archived_experiment_id

from unique_lines
