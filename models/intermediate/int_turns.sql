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

turn_events as (

    select
        events.conversation_id,
        events.turn_number,
        events.timestamp as completed_at,
        conversation_files.file_order,
        events.line_number,
        changed_conversations.fingerprint,
        json_extract_string(events.event_data, '$.convergence_score') as convergence_score

    from events

    inner join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    inner join conversation_files
        on
            events.conversation_id = conversation_files.conversation_id
            and events.source_file = conversation_files.source_file

    where
        events.event_type = 'TurnCompleteEvent'
        and events.turn_number is not null

),

-- A turn number that comes again replaces what it said before, as in Pidgin.
latest_turns as (

    select *

    from turn_events

    qualify
        row_number() over (
            partition by conversation_id, turn_number
            order by file_order desc, line_number desc
        ) = 1

)

select
    conversation_id,
    turn_number,
    completed_at,
    -- NaN is not a score.
    nullif(try_cast(convergence_score as double), cast('nan' as double)) as convergence_score,
    fingerprint

from latest_turns
