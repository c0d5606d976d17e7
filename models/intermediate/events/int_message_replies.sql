{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

reply_events as (

    select
        conversation_id,
        source_file,
        line_position,
        agent_id,
        timestamp,
        event_data,
        -- To 2025-08-10 one count, then three, and since 1.1.0 those of the cache.
        json_transform(event_data, '{
            "message": {"content": "VARCHAR"},
            "model": "VARCHAR", "tokens_used": "VARCHAR", "prompt_tokens": "VARCHAR",
            "completion_tokens": "VARCHAR", "total_tokens": "VARCHAR",
            "cache_read_tokens": "VARCHAR", "cache_write_tokens": "VARCHAR",
            "duration_ms": "VARCHAR"
        }') as payload

    from events

    where
        event_type = 'MessageCompleteEvent'
        and agent_id in ('agent_a', 'agent_b')

)

select
    conversation_id,
    source_file,
    line_position,
    agent_id,
    {{ message_text('event_data', '$.message.content', "payload['message']['content']") }}
        as content,
    payload['model'] as model,
    {{ logged_tokens("payload['prompt_tokens']") }} as prompt_tokens,
    {{ logged_tokens("payload['completion_tokens']") }} as completion_tokens,
    {{ logged_tokens("payload['total_tokens']") }} as total_tokens,
    {{ logged_tokens("payload['tokens_used']") }} as tokens_used,
    {{ logged_tokens("payload['cache_read_tokens']") }} as cache_read_tokens,
    {{ logged_tokens("payload['cache_write_tokens']") }} as cache_write_tokens,
    {{ logged_milliseconds("payload['duration_ms']") }} as duration_ms,
    timestamp as sent_at

from reply_events
