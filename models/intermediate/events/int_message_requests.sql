{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

request_events as (

    select
        conversation_id,
        source_file,
        line_position,
        turn_number,
        agent_id,
        timestamp,
        json_transform(event_data, '{
            "thinking_enabled": "VARCHAR", "thinking_budget": "VARCHAR", "max_tokens": "VARCHAR"
        }') as payload

    from events

    where event_type = 'MessageRequestEvent'

)

select
    conversation_id,
    source_file,
    line_position,
    turn_number,
    agent_id,
    payload['thinking_enabled'] as thinking_enabled,
    payload['thinking_budget'] as thinking_budget,
    payload['max_tokens'] as max_tokens,
    timestamp as requested_at

from request_events
