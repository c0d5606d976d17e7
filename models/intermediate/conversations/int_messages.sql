{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_conversations'},
        contract = {'enforced': true},
    )
}}

with

files as (

    select * from {{ ref('int_current_files') }}

),

changed_files as (

    select files.*

    from files
    {{ only_changed('files', 'files') }}

),

changed_conversations as (

    select distinct
        conversation_id,
        experiment_id,
        fingerprint

    from changed_files

),

turn_starts as (

    {{ ordered_events(ref('int_turn_starts')) }}

),

message_requests as (

    {{ ordered_events(ref('int_message_requests')) }}

),

message_replies as (

    {{ ordered_events(ref('int_message_replies')) }}

),

turn_records as (

    {{ ordered_events(ref('int_turn_records')) }}

),

{{ complete_turn_steps() }},

{{ message_steps() }}

select
    messages.conversation_id,
    changed_conversations.experiment_id,
    messages.turn_number,
    messages.agent_id,
    messages.content,
    messages.sent_at,
    nullif(messages.prompt_tokens, messages.uncounted_tokens) as prompt_tokens,
    nullif(messages.completion_tokens, messages.uncounted_tokens) as completion_tokens,
    nullif(messages.total_tokens, messages.uncounted_tokens) as total_tokens,
    nullif(messages.tokens_used, messages.uncounted_tokens) as tokens_used,
    nullif(messages.cache_read_tokens, messages.uncounted_tokens) as cache_read_tokens,
    nullif(messages.cache_write_tokens, messages.uncounted_tokens) as cache_write_tokens,
    messages.duration_ms as response_time_ms,
    messages.is_api_error,
    messages.is_spoken,
    messages.is_turn_complete,
    changed_conversations.fingerprint

from messages

inner join changed_conversations
    on messages.conversation_id = changed_conversations.conversation_id
