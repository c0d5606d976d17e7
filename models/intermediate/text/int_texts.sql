{{ config(materialized = 'view') }}

{#- Tables are read where they are needed: of an import for two uses DuckDB copies all columns. -#}

with

-- These have no metrics, and so no tokens yet.
other_texts as (

    select
        conversation_id,
        experiment_id,
        turn_number,
        agent_id,
        'message' as text_kind,
        content,
        fingerprint

    from {{ ref('int_messages') }}

    where
        is_spoken
        and not is_turn_complete

    union all

    select
        conversation_id,
        experiment_id,
        turn_number,
        agent_id,
        'thinking' as text_kind,
        thinking_content as content,
        fingerprint

    from {{ ref('int_thinking_traces') }}

    where thinking_content is not null

)

select
    messages.conversation_id,
    messages.experiment_id,
    messages.turn_number,
    messages.agent_id,
    'message' as text_kind,
    messages.content,
    message_tokens.token_text,
    true as has_tokens,
    messages.fingerprint

from {{ ref('int_messages') }} as messages

left join {{ ref('int_message_tokens') }} as message_tokens
    on
        messages.conversation_id = message_tokens.conversation_id
        and messages.turn_number = message_tokens.turn_number
        and messages.agent_id = message_tokens.agent_id
        and messages.fingerprint = message_tokens.fingerprint

where
    messages.is_spoken
    and messages.is_turn_complete

union all

select
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    text_kind,
    content,
    {{ token_text('content') }} as token_text,
    false as has_tokens,
    fingerprint

from other_texts
