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

thinking_records as (

    {{ ordered_events(ref('int_thinking_records')) }}

),

turn_records as (

    {{ ordered_events(ref('int_turn_records')) }}

),

{{ complete_turn_steps() }},

-- A turn that was tried again thinks again. Like its messages, its thinking is the last before the
-- turn's own record.
latest_records as (

    select thinking_records.*

    from thinking_records

    left join complete_turns
        on
            thinking_records.conversation_id = complete_turns.conversation_id
            and thinking_records.turn_number = complete_turns.turn_number

    where
        thinking_records.turn_number is not null
        and (complete_turns.turn_number is null or thinking_records.place < complete_turns.place)

    qualify
        row_number() over (
            partition by
                thinking_records.conversation_id,
                thinking_records.turn_number,
                thinking_records.agent_id
            order by thinking_records.place desc
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

from latest_records
