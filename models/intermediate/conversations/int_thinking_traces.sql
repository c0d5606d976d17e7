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

-- A turn that was tried again thinks again.
latest_records as (

    select *

    from thinking_records

    where turn_number is not null

    qualify
        row_number() over (
            partition by conversation_id, turn_number, agent_id
            order by place desc
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
