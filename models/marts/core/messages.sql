{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_conversations'},
    )
}}

with

conversations as (

    select * from {{ ref('int_current_conversations') }}

),

conversation_files as (

    select * from {{ ref('int_conversation_files') }}

),

events as (

    select * from {{ ref('int_events') }}

),

changed_conversations as (

    select conversations.*

    from conversations
    {{ only_changed('conversations', ref('int_current_conversations')) }}

),

conversation_events as (

    select
        events.*,
        conversation_files.file_order

    from events

    semi join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    inner join conversation_files
        on
            events.conversation_id = conversation_files.conversation_id
            and events.source_file = conversation_files.source_file

),

{{ message_steps() }}

select
    messages.conversation_id,
    changed_conversations.experiment_id,
    messages.turn_number,
    messages.agent_id,
    messages.content,
    messages.sent_at,
    nullif({{ logged_tokens('messages.field[2]') }}, messages.uncounted_tokens) as prompt_tokens,
    nullif({{ logged_tokens('messages.field[3]') }}, messages.uncounted_tokens)
        as completion_tokens,
    nullif({{ logged_tokens('messages.field[4]') }}, messages.uncounted_tokens) as total_tokens,
    nullif({{ logged_tokens('messages.field[5]') }}, messages.uncounted_tokens) as tokens_used,
    nullif({{ logged_tokens('messages.field[6]') }}, messages.uncounted_tokens)
        as cache_read_tokens,
    nullif({{ logged_tokens('messages.field[7]') }}, messages.uncounted_tokens)
        as cache_write_tokens,
    {{ logged_milliseconds('messages.field[8]') }} as response_time_ms,
    messages.is_api_error,
    messages.is_spoken,
    messages.is_turn_complete,
    changed_conversations.fingerprint

from messages

inner join changed_conversations
    on messages.conversation_id = changed_conversations.conversation_id
