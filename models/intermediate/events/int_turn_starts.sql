{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

)

select
    conversation_id,
    source_file,
    line_position,
    turn_number,
    timestamp as started_at

from events

where event_type = 'TurnStartEvent'
