{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_conversations'},
    )
}}

with

files as (

    select * from {{ ref('int_current_files') }}

),

events as (

    select
        conversation_id,
        source_file,
        line_position,
        event_type,
        turn_number,
        timestamp

    from {{ ref('int_events') }}

),

end_reasons as (

    select * from {{ ref('end_reasons') }}

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

conversation_events as (

    {{ ordered_events('events') }}

),

conversation_ends as (

    {{ ordered_events(ref('int_conversation_ends')) }}

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
