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

messages as (

    select * from {{ ref('int_messages') }}

),

changed_files as (

    select files.*

    from files
    {{ only_changed('files', 'files') }}

),

turn_records as (

    {{ ordered_events(ref('int_turn_records')) }}

),

{{ complete_turn_steps() }},

-- Of the same state; after a partial build there may be others, and then these turns
-- wait.
changed_messages as (

    select
        messages.conversation_id,
        messages.turn_number,
        messages.is_turn_complete,
        messages.is_spoken

    from messages

    semi join changed_files
        on
            messages.conversation_id = changed_files.conversation_id
            and messages.fingerprint = changed_files.fingerprint

),

{{ spoken_turn_steps('changed_messages') }}

select
    complete_turns.conversation_id,
    complete_turns.experiment_id,
    complete_turns.turn_number,
    complete_turns.completed_at,
    complete_turns.convergence_score,
    complete_turns.legacy_convergence_score,
    spoken_turns.is_spoken,
    complete_turns.fingerprint

from complete_turns

inner join spoken_turns
    on
        complete_turns.conversation_id = spoken_turns.conversation_id
        and complete_turns.turn_number = spoken_turns.turn_number
