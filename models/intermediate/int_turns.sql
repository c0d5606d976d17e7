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

conversations as (

    select * from {{ ref('int_current_conversations') }}

),

conversation_files as (

    select * from {{ ref('int_conversation_files') }}

),

events as (

    select * from {{ ref('int_events') }}

),

messages as (

    select * from {{ ref('messages') }}

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

{{ complete_turn_steps() }},

-- Of the same state; after a build of a selection there may be others, and then these turns
-- wait.
changed_messages as (

    select
        messages.conversation_id,
        messages.turn_number,
        messages.is_turn_complete,
        messages.is_spoken

    from messages

    semi join changed_conversations
        on
            messages.conversation_id = changed_conversations.conversation_id
            and messages.fingerprint = changed_conversations.fingerprint

),

{{ spoken_turn_steps('changed_messages') }}

select
    complete_turns.conversation_id,
    changed_conversations.experiment_id,
    complete_turns.turn_number,
    complete_turns.completed_at,
    complete_turns.convergence_score,
    complete_turns.legacy_convergence_score,
    spoken_turns.is_spoken,
    changed_conversations.fingerprint

from complete_turns

inner join spoken_turns
    on
        complete_turns.conversation_id = spoken_turns.conversation_id
        and complete_turns.turn_number = spoken_turns.turn_number

inner join changed_conversations
    on complete_turns.conversation_id = changed_conversations.conversation_id
