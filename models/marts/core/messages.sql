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

dialogue_events as (

    select
        events.conversation_id,
        events.event_type,
        events.agent_id,
        events.turn_number,
        events.timestamp,
        events.event_data,
        -- -1 where the number can be none: what follows does not belong to the turn before.
        if(events.event_type = 'TurnStartEvent', coalesce(events.turn_number, -1), null)
            as started_turn_number,
        if(events.event_type = 'MessageRequestEvent', coalesce(events.turn_number, -1), null)
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
            nullif(
                last_value(requested_turn_number ignore nulls) over (
                    partition by conversation_id, agent_id
                    order by file_order, line_number
                ),
                -1
            ),
            nullif(
                last_value(started_turn_number ignore nulls) over (
                    partition by conversation_id
                    order by file_order, line_number
                ),
                -1
            )
        ) as placed_turn_number

    from dialogue_events

),

-- A turn number that comes again replaces what it said before, as in Pidgin.
turn_events as (

    select
        conversation_id,
        turn_number,
        file_order,
        line_number,
        event_data,
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

turns as (

    select
        conversation_id,
        turn_number,
        file_order,
        line_number,
        {{ message_text('event_data', '$.turn.agent_a_message.content', 'content[1]') }}
            as agent_a_content,
        {{ message_text('event_data', '$.turn.agent_b_message.content', 'content[2]') }}
            as agent_b_content

    from turn_events

),

reply_events as (

    select
        conversation_id,
        placed_turn_number as turn_number,
        agent_id,
        timestamp as sent_at,
        file_order,
        line_number,
        event_data,
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

replies as (

    select
        * exclude (event_data),
        {{ message_text('event_data', '$.message.content', 'field[1]') }} as content

    from reply_events

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
        if(agents.agent_id = 'agent_a', turns.agent_a_content, turns.agent_b_content) as content

    from turns

    cross join agents

),

messages as (

    select
        coalesce(turn_messages.conversation_id, latest_replies.conversation_id) as conversation_id,
        coalesce(turn_messages.turn_number, latest_replies.turn_number) as turn_number,
        coalesce(turn_messages.agent_id, latest_replies.agent_id) as agent_id,
        coalesce(turn_messages.content, latest_replies.content) as content,
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
    {{ logged_tokens('messages.field[2]') }} as prompt_tokens,
    {{ logged_tokens('messages.field[3]') }} as completion_tokens,
    {{ logged_tokens('messages.field[4]') }} as total_tokens,
    {{ logged_tokens('messages.field[5]') }} as tokens_used,
    {{ logged_tokens('messages.field[6]') }} as cache_read_tokens,
    {{ logged_tokens('messages.field[7]') }} as cache_write_tokens,
    {{ logged_milliseconds('messages.field[8]') }} as response_time_ms,
    coalesce({{ is_api_error_placeholder('messages.content') }}, false) as is_api_error,
    messages.is_turn_complete,
    cast(null as float[]) as embedding,
    changed_conversations.fingerprint

from messages

inner join changed_conversations
    on messages.conversation_id = changed_conversations.conversation_id
