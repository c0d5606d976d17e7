{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

thinking_events as (

    select
        conversation_id,
        source_file,
        line_position,
        turn_number,
        agent_id,
        timestamp,
        json_transform(event_data, '{
            "thinking_content": "VARCHAR", "model": "VARCHAR", "thinking_tokens": "VARCHAR",
            "duration_ms": "VARCHAR"
        }') as payload

    from events

    where
        event_type = 'ThinkingCompleteEvent'
        and agent_id in ('agent_a', 'agent_b')

)

select
    conversation_id,
    source_file,
    line_position,
    turn_number,
    agent_id,
    payload['thinking_content'] as thinking_content,
    payload['model'] as model,
    {{ logged_tokens("payload['thinking_tokens']") }} as thinking_tokens,
    {{ logged_milliseconds("payload['duration_ms']") }} as duration_ms,
    timestamp as thought_at

from thinking_events
