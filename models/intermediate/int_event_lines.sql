{{ config(materialized = 'view') }}

with

event_lines as (

    select * from {{ ref('stg_pidgin__event_lines') }}

),

archived_events as (

    select * from {{ ref('stg_archive__events') }}

)

select
    event_id,
    event_type,
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    recorded_timestamp,
    event_data,
    source_file,
    line_number,
    false as is_archived

from event_lines

where
    line_kind = 'event'
    and {{ is_in_output_dir('source_file') }}

union all

select
    event_id,
    event_type,
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    recorded_timestamp,
    event_data,
    source_file,
    line_number,
    true as is_archived

from archived_events
