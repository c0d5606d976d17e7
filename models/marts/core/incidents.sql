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

events as not materialized (

    select * from {{ ref('int_events') }}

),

incident_types as (

    select * from {{ ref('incident_types') }}

),

lines_of_shared_ids as (

    select * from {{ ref('int_lines_of_shared_ids') }}

),

-- What the build itself found: conversations that go by another id than their log says.
renamed_conversations as (

    select distinct
        conversation_id,
        logged_conversation_id,
        first_experiment_id,
        start_event_id

    from lines_of_shared_ids

    where not is_first

),

-- A conversation without trouble leaves no row to know it by, so it is asked for here.
troubled_conversations as (

    select distinct events.conversation_id

    from events

    semi join incident_types
        on events.event_type = incident_types.event_type

    union

    select renamed_conversations.conversation_id

    from renamed_conversations

),

changed_conversations as (

    select conversations.*

    from conversations
    {{ only_changed('conversations', ref('int_current_conversations')) }}

    semi join troubled_conversations
        on conversations.conversation_id = troubled_conversations.conversation_id

),

trouble_and_turns as (

    select
        events.*,
        conversation_files.file_order,
        -- -1 for a turn that started without a number that can be one.
        nullif(
            last_value(
                if(
                    events.event_type = 'TurnStartEvent',
                    coalesce(events.turn_number, -1),
                    events.turn_number
                ) ignore nulls
            ) over (
                partition by events.conversation_id
                order by conversation_files.file_order, events.line_position
            ),
            -1
        ) as current_turn_number

    from events

    semi join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    inner join conversation_files
        on
            events.conversation_id = conversation_files.conversation_id
            and events.source_file = conversation_files.source_file

    where
        events.event_type = 'TurnStartEvent'
        or events.event_type in (select incident_types.event_type from incident_types)

),

trouble as (

    select
        trouble_and_turns.*,
        incident_types.incident_type,
        json_extract_string(trouble_and_turns.event_data, [
            '$.error_type', '$.error_message', '$.provider', '$.context',
            '$.wait_time', '$.timeout_seconds', '$.messages_dropped',
            '$.interrupt_source', '$.paused_during', '$.reason', '$.retryable'
        ]) as field,
        replace(
            json_extract_string(trouble_and_turns.event_data, '$.paused_during'), '_', ' '
        ) as pause

    from trouble_and_turns

    inner join incident_types
        on trouble_and_turns.event_type = incident_types.event_type

),

collisions as (

    select
        events.event_id,
        events.event_type,
        events.timestamp as occurred_at,
        'its log calls it ' || renamed_conversations.logged_conversation_id
        || ', as another does a conversation of ' || renamed_conversations.first_experiment_id
            as detail,
        changed_conversations.conversation_id,
        changed_conversations.experiment_id,
        changed_conversations.fingerprint

    from renamed_conversations

    inner join changed_conversations
        on renamed_conversations.conversation_id = changed_conversations.conversation_id

    inner join events
        on renamed_conversations.start_event_id = events.event_id

)

select
    trouble.event_id,
    trouble.conversation_id,
    changed_conversations.experiment_id,
    -- Errors and timeouts name their turn only in a sentence; waits not at all.
    coalesce(
        trouble.turn_number,
        {{ logged_turn_number("regexp_extract(trouble.field[4], '\\bturn (\\d+)', 1, 'i')") }},
        trouble.current_turn_number
    ) as turn_number,
    trouble.agent_id,
    trouble.incident_type,
    trouble.event_type,
    trouble.timestamp as occurred_at,
    case trouble.incident_type
        when 'rate_limit_wait'
            then format('waited {:.1f} s', {{ logged_seconds('trouble.field[5]') }})
        when 'truncation' then 'dropped ' || {{ logged_count('trouble.field[7]') }} || ' messages'
        when 'empty_reply' then 'the reply held no text'
        when 'interrupt'
            then coalesce('by ' || trouble.field[8], 'paused ' || trouble.pause)
        else trouble.field[2]
    end as detail,
    trouble.field[1] as error_type,
    -- Some events name the class, others the registry's name.
    nullif(lower(trim(trouble.field[3])), '') as provider,
    trouble.field[3] as provider_logged,
    {{ logged_seconds('coalesce(trouble.field[5], trouble.field[6])') }} as seconds,
    try_cast(trouble.field[11] as boolean) as is_retryable,
    changed_conversations.fingerprint

from trouble

inner join changed_conversations
    on trouble.conversation_id = changed_conversations.conversation_id

union all

select
    event_id,
    conversation_id,
    experiment_id,
    null as turn_number,
    null as agent_id,
    'id_collision' as incident_type,
    event_type,
    occurred_at,
    detail,
    null as error_type,
    null as provider,
    null as provider_logged,
    null as seconds,
    null as is_retryable,
    fingerprint

from collisions
