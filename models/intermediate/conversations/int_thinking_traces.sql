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

traces as (

    {{ ordered_events(ref('int_thinking_records')) }}

),

turn_records as (

    {{ ordered_events(ref('int_turn_records')) }}

),

{{ complete_turn_steps() }},

-- A turn that was tried again thinks again. Like its messages, its thinking is the last before the
-- turn's own record.
latest_traces as (

    select traces.*

    from traces

    left join complete_turns
        on
            traces.conversation_id = complete_turns.conversation_id
            and traces.turn_number = complete_turns.turn_number

    where
        traces.turn_number is not null
        and (complete_turns.turn_number is null or traces.place < complete_turns.place)

    qualify
        row_number() over (
            partition by traces.conversation_id, traces.turn_number, traces.agent_id
            order by traces.place desc
        ) = 1

)

select
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    thinking_content,
    thinking_tokens,
    duration_ms,
    thought_at,
    fingerprint

from latest_traces
