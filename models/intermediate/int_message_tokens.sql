{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        on_schema_change = 'fail',
    )
}}

with

conversations as (

    select * from {{ ref('int_conversations') }}

),

messages as (

    select * from {{ ref('messages') }}

),

changed_conversations as (

    select conversations.*

    from conversations
    {% if is_incremental() %}
        anti join {{ processed(this) }} as processed
            on
                conversations.conversation_id = processed.conversation_id
                and conversations.fingerprint = processed.fingerprint
    {% endif %}

),

spoken_messages as (

    select
        messages.conversation_id,
        messages.turn_number,
        messages.agent_id,
        messages.content,
        changed_conversations.fingerprint

    from messages

    inner join changed_conversations
        on messages.conversation_id = changed_conversations.conversation_id

    where
        messages.is_turn_complete
        and not messages.is_api_error

)

select
    conversation_id,
    turn_number,
    agent_id,
    {{ tokens('content') }} as tokens,
    fingerprint

from spoken_messages
