{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

report_events as (

    select
        conversation_id,
        source_file,
        line_position,
        agent_id,
        json_transform(event_data, '{
            "model": "VARCHAR", "prompt_tokens": "VARCHAR", "completion_tokens": "VARCHAR",
            "tokens_used": "VARCHAR", "cache_read_tokens": "VARCHAR",
            "cache_write_tokens": "VARCHAR"
        }') as payload

    from events

    where
        event_type = 'TokenUsageEvent'
        and agent_id in ('agent_a', 'agent_b')

)

select
    conversation_id,
    source_file,
    line_position,
    agent_id,
    -- The first providers' reports (June 2025) named neither agent nor prompt.
    payload['prompt_tokens'] is not null as is_of_call,
    payload['model'] as model,
    {{ logged_tokens("payload['prompt_tokens']") }} as prompt_tokens,
    {{ logged_tokens("payload['completion_tokens']") }} as completion_tokens,
    {{ logged_tokens("payload['tokens_used']") }} as tokens_used,
    {{ logged_tokens("payload['cache_read_tokens']") }} as cache_read_tokens,
    {{ logged_tokens("payload['cache_write_tokens']") }} as cache_write_tokens

from report_events
