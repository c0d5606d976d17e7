{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

conversations as (

    select * from {{ ref('int_conversations') }}

)

select
    events.event_id,
    coalesce(conversations.experiment_id, events.experiment_id) as experiment_id,
    events.conversation_id,
    events.event_type,
    events.turn_number,
    events.agent_id,
    events.timestamp,
    cast(timezone('UTC', events.timestamp) as date) as event_date,
    events.event_data,
    events.source_file,
    events.line_number,
    events.is_archived

from events

left join conversations
    on events.conversation_id = conversations.conversation_id
