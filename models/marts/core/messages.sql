{{ config(materialized = 'view') }}

select
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    content,
    sent_at,
    prompt_tokens,
    completion_tokens,
    total_tokens,
    tokens_used,
    cache_read_tokens,
    cache_write_tokens,
    response_time_ms,
    is_api_error,
    is_spoken,
    is_turn_complete,
    fingerprint

from {{ ref('int_messages') }}
