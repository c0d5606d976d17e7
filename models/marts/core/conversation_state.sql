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

end_reasons as (

    select * from {{ ref('end_reasons') }}

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

{{ conversation_state_steps() }}

select
    states.conversation_id,
    changed_conversations.experiment_id,
    states.status,
    states.end_reason,
    states.turn_count,
    states.event_count,
    states.started_at,
    states.ended_at,
    states.last_event_at,
    changed_conversations.fingerprint

from states

inner join changed_conversations
    on states.conversation_id = changed_conversations.conversation_id
