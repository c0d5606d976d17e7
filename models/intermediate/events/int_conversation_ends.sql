{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

)

select
    conversation_id,
    source_file,
    line_position,
    json_extract_string(event_data, '$.reason') as end_reason,
    timestamp as ended_at

from events

where event_type = 'ConversationEndEvent'
