{{ config(alias = 'thinking_traces') }}

with

thinking_traces as (

    select * from {{ ref('thinking_traces') }}

)

select
    conversation_id,
    turn_number,
    agent_id,
    thinking_content,
    thinking_tokens,
    duration_ms,
    thought_at at time zone 'UTC' as timestamp,

    -- asked for, and not in Pidgin's schema
    experiment_id

from thinking_traces
