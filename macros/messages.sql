{#- The messages of conversations: who said what in which turn, from steps named turn_starts,
    message_requests, message_replies and complete_turns to one named messages. The mart messages and
    the function experiment_dashboard_as_of share them. -#}
{% macro message_steps() -%}
    -- A reply does not say its turn. It answers the last request to the same agent; where there is none
    -- in this turn, the start of the turn tells. A start whose number can be none gives none, so that
    -- what follows does not belong to the turn before.
    replies as (

        select
            message_replies.*,
            if(
                turn_starts.place > message_requests.place,
                turn_starts.turn_number,
                coalesce(message_requests.turn_number, turn_starts.turn_number)
            ) as turn_number

        from message_replies

        asof left join message_requests
            on
                message_replies.conversation_id = message_requests.conversation_id
                and message_replies.agent_id = message_requests.agent_id
                and message_replies.place > message_requests.place

        asof left join turn_starts
            on
                message_replies.conversation_id = turn_starts.conversation_id
                and message_replies.place > turn_starts.place

    ),

    -- Where a turn was answered more than once, the turn's own record decides which answer it
    -- took: the last before it. Without one, the last.
    latest_replies as (

        select replies.*

        from replies

        left join complete_turns
            on
                replies.conversation_id = complete_turns.conversation_id
                and replies.turn_number = complete_turns.turn_number

        where
            replies.turn_number is not null
            and (complete_turns.turn_number is null or replies.place < complete_turns.place)

        qualify
            row_number() over (
                partition by replies.conversation_id, replies.turn_number, replies.agent_id
                order by replies.place desc
            ) = 1

    ),

    agents as (

        select unnest(['agent_a', 'agent_b']) as agent_id

    ),

    -- Both messages of a complete turn, even if one is missing from its record.
    turn_messages as (

        select
            complete_turns.conversation_id,
            complete_turns.turn_number,
            agents.agent_id,
            if(agents.agent_id = 'agent_a', complete_turns.agent_a_content, complete_turns.agent_b_content)
                as content

        from complete_turns

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
            latest_replies.prompt_tokens,
            latest_replies.completion_tokens,
            latest_replies.total_tokens,
            latest_replies.tokens_used,
            latest_replies.cache_read_tokens,
            latest_replies.cache_write_tokens,
            latest_replies.duration_ms,
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
