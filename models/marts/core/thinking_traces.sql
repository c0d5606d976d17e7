{{ config(materialized = 'view') }}

select
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    thinking_content,
    thinking_tokens,
    duration_ms,
    thought_at,
    fingerprint

from {{ ref('int_thinking_traces') }}
