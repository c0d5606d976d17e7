{%- set archive = source('archive', 'events') %}

with

archived_events as (

    select * from {{ archive if archive_exists() else empty_archive() }}

)

select
    source_file,
    line_number,
    event_id,
    event_type,
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    recorded_timestamp,
    event_data

from archived_events
