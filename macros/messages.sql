{#- The messages of conversations: who said what in which turn, from a step named
    conversation_events to one named messages. The mart messages and the function
    experiment_dashboard_as_of share them. -#}
{% macro message_steps() -%}
    dialogue_events as (

        select
            conversation_id,
            event_type,
            agent_id,
            turn_number,
            timestamp,
            event_data,
            -- -1 where the number can be none: what follows does not belong to the turn before.
            if(event_type = 'TurnStartEvent', coalesce(turn_number, -1), null)
                as started_turn_number,
            if(event_type = 'MessageRequestEvent', coalesce(turn_number, -1), null)
                as requested_turn_number,
            file_order,
            line_position

        from conversation_events

        where
            event_type in (
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
                        order by file_order, line_position
                    ),
                    -1
                ),
                nullif(
                    last_value(started_turn_number ignore nulls) over (
                        partition by conversation_id
                        order by file_order, line_position
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
            line_position,
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
                order by file_order desc, line_position desc
            ) = 1

    ),

    turns as (

        select
            conversation_id,
            turn_number,
            file_order,
            line_position,
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
            line_position,
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
            or (replies.file_order, replies.line_position) < (turns.file_order, turns.line_position)

        qualify
            row_number() over (
                partition by replies.conversation_id, replies.turn_number, replies.agent_id
                order by replies.file_order desc, replies.line_position desc
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
            if(agents.agent_id = 'agent_a', turns.agent_a_content, turns.agent_b_content)
                as content

        from turns

        cross join agents

    ),

    placed_messages as (

        select
            coalesce(turn_messages.conversation_id, latest_replies.conversation_id)
                as conversation_id,
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

    ),

    flagged_messages as (

        select
            *,
            coalesce({{ is_api_error_placeholder('content') }}, false) as is_api_error

        from placed_messages

    ),

    messages as (

        select
            *,
            content is not null and not is_api_error as is_spoken,
            -- Pidgin logs so many for a reply that never came, of which nobody counted any.
            if(is_api_error, 0, null) as uncounted_tokens

        from flagged_messages

    )
{%- endmacro %}

{#- Whether both agents spoke in a turn, from a relation like messages to a step named
    spoken_turns. This is what is_spoken means wherever turns have it. -#}
{% macro spoken_turn_steps(messages) -%}
    spoken_turns as (

        select
            conversation_id,
            turn_number,
            bool_and(is_spoken) as is_spoken

        from {{ messages }}

        where is_turn_complete

        group by conversation_id, turn_number

    )
{%- endmacro %}
