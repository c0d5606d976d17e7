{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        on_schema_change = 'fail',
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

{{ complete_turn_steps() }}

select
    complete_turns.conversation_id,
    changed_conversations.experiment_id,
    complete_turns.turn_number,
    complete_turns.completed_at,
    complete_turns.convergence_score,
    complete_turns.legacy_convergence_score,
    changed_conversations.fingerprint

from complete_turns

inner join changed_conversations
    on complete_turns.conversation_id = changed_conversations.conversation_id
