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

thinking_events as (

    select
        events.conversation_id,
        changed_conversations.experiment_id,
        events.turn_number,
        events.agent_id,
        events.timestamp as thought_at,
        conversation_files.file_order,
        events.line_position,
        changed_conversations.fingerprint,
        json_extract_string(
            events.event_data, ['$.thinking_content', '$.thinking_tokens', '$.duration_ms']
        ) as field

    from events

    inner join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    inner join conversation_files
        on
            events.conversation_id = conversation_files.conversation_id
            and events.source_file = conversation_files.source_file

    where
        events.event_type = 'ThinkingCompleteEvent'
        and events.turn_number is not null
        and events.agent_id in ('agent_a', 'agent_b')

),

latest_traces as (

    select *

    from thinking_events

    qualify
        row_number() over (
            partition by conversation_id, turn_number, agent_id
            order by file_order desc, line_position desc
        ) = 1

)

select
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    field[1] as thinking_content,
    {{ logged_tokens('field[2]') }} as thinking_tokens,
    {{ logged_milliseconds('field[3]') }} as duration_ms,
    thought_at,
    fingerprint

from latest_traces
