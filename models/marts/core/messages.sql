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

dialogue_events as (

    select
        events.conversation_id,
        events.event_type,
        events.agent_id,
        events.turn_number,
        events.timestamp,
        events.event_data,
        if(events.event_type = 'TurnStartEvent', events.turn_number, null) as started_turn_number,
        if(events.event_type = 'MessageRequestEvent', events.turn_number, null)
            as requested_turn_number,
        conversation_files.file_order,
        events.line_number

    from events

    semi join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    inner join conversation_files
        on
            events.conversation_id = conversation_files.conversation_id
            and events.source_file = conversation_files.source_file

    where
        events.event_type in (
            'TurnStartEvent', 'MessageRequestEvent', 'MessageCompleteEvent', 'TurnCompleteEvent'
        )

),

-- A MessageCompleteEvent does not say its turn. It answers the last request to the same
-- agent; a log without requests still says when turns start.
placed_events as (

    select
        *,
        coalesce(
            last_value(requested_turn_number ignore nulls) over (
                partition by conversation_id, agent_id
                order by file_order, line_number
            ),
            last_value(started_turn_number ignore nulls) over (
                partition by conversation_id
                order by file_order, line_number
            )
        ) as placed_turn_number

    from dialogue_events

),

-- A turn number that comes again replaces what it said before, as in Pidgin.
turns as (

    select
        conversation_id,
        turn_number,
        file_order,
        line_number,
        json_extract_string(
            event_data, ['$.turn.agent_a_message.content', '$.turn.agent_b_message.content']
        ) as content

    from dialogue_events

    where
        event_type = 'TurnCompleteEvent'
        and turn_number is not null

    qualify
        row_number() over (
            partition by conversation_id, turn_number
            order by file_order desc, line_number desc
        ) = 1

),

replies as (

    select
        conversation_id,
        placed_turn_number as turn_number,
        agent_id,
        timestamp as sent_at,
        file_order,
        line_number,
        json_extract_string(event_data, [
            '$.message.content',
            '$.prompt_tokens', '$.completion_tokens', '$.total_tokens', '$.tokens_used',
            '$.cache_read_tokens', '$.cache_write_tokens', '$.duration_ms'
        ]) as field

    from placed_events

    where
        event_type = 'MessageCompleteEvent'
        and agent_id in ('agent_a', 'agent_b')
        and placed_turn_number is not null

),

-- Where a turn was answered more than once, the turn's own record decides which answer it
-- took: the last before it. Without one, the last.
latest_replies as (

    select replies.*

    from replies

    left join turns
        on
            replies.conversation_id = turns.conversation_id
            and replies.turn_number = turns.turn_number

    where
        turns.turn_number is null
        or (replies.file_order, replies.line_number) < (turns.file_order, turns.line_number)

    qualify
        row_number() over (
            partition by replies.conversation_id, replies.turn_number, replies.agent_id
            order by replies.file_order desc, replies.line_number desc
        ) = 1

),

agents as (

    select unnest(['agent_a', 'agent_b']) as agent_id

),

-- Both messages of a complete turn, even if one is missing from its record.
turn_messages as (

    select
        turns.conversation_id,
        turns.turn_number,
        agents.agent_id,
        if(agents.agent_id = 'agent_a', turns.content[1], turns.content[2]) as content

    from turns

    cross join agents

),

messages as (

    select
        coalesce(turn_messages.conversation_id, latest_replies.conversation_id) as conversation_id,
        coalesce(turn_messages.turn_number, latest_replies.turn_number) as turn_number,
        coalesce(turn_messages.agent_id, latest_replies.agent_id) as agent_id,
        coalesce(turn_messages.content, latest_replies.field[1]) as content,
        latest_replies.sent_at,
        latest_replies.field,
        turn_messages.turn_number is not null as is_turn_complete

    from turn_messages

    full join latest_replies
        on
            turn_messages.conversation_id = latest_replies.conversation_id
            and turn_messages.turn_number = latest_replies.turn_number
            and turn_messages.agent_id = latest_replies.agent_id

)

select
    messages.conversation_id,
    messages.turn_number,
    messages.agent_id,
    messages.content,
    messages.sent_at,
    try_cast(messages.field[2] as integer) as prompt_tokens,
    try_cast(messages.field[3] as integer) as completion_tokens,
    try_cast(messages.field[4] as integer) as total_tokens,
    try_cast(messages.field[5] as integer) as tokens_used,
    try_cast(messages.field[6] as integer) as cache_read_tokens,
    try_cast(messages.field[7] as integer) as cache_write_tokens,
    try_cast(messages.field[8] as bigint) as response_time_ms,
    coalesce({{ is_api_error_placeholder('messages.content') }}, false) as is_api_error,
    messages.is_turn_complete,
    cast(null as float[]) as embedding,
    changed_conversations.fingerprint

from messages

inner join changed_conversations
    on messages.conversation_id = changed_conversations.conversation_id
