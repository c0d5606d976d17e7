{#- The state of each conversation from its events alone: the last steps of the mart
    conversation_state and of the function conversation_state_as_of. They follow steps named
    conversation_events, conversation_ends and end_reasons.

    A conversation may log several ends (June 2025 wrote the cause, then 'completed'), and
    lines after its end (a late reply). The first end that no complete turn follows is the
    one; where turns follow every end, the last. -#}
{% macro conversation_state_steps() -%}
    completed_turns as (

        select
            conversation_id,
            count(distinct turn_number) as turn_count,
            max(place) as last_position

        from conversation_events

        where
            event_type = 'TurnCompleteEvent'
            and turn_number is not null

        group by conversation_id

    ),

    placed_ends as (

        select
            conversation_ends.conversation_id,
            struct_pack(
                place := conversation_ends.place,
                ended_at := conversation_ends.ended_at,
                end_reason := conversation_ends.end_reason
            ) as conversation_end,
            coalesce(conversation_ends.place > completed_turns.last_position, true)
                as is_after_last_turn

        from conversation_ends

        left join completed_turns
            on conversation_ends.conversation_id = completed_turns.conversation_id

    ),

    decisive_ends as (

        select
            conversation_id,
            coalesce(
                min(conversation_end) filter (where is_after_last_turn),
                max(conversation_end)
            ) as conversation_end

        from placed_ends

        group by conversation_id

    ),

    spans as (

        select
            conversation_id,
            count(*) as event_count,
            coalesce(
                min(timestamp) filter (where event_type = 'ConversationStartEvent'), min(timestamp)
            ) as started_at,
            max(timestamp) as last_event_at

        from conversation_events

        group by conversation_id

    ),

    states as (

        select
            spans.conversation_id,
            case
                when decisive_ends.conversation_end is null then 'unfinished'
                -- A reason that the table does not list counts as Pidgin 1.1.0 counts it.
                else coalesce(end_reasons.status, 'interrupted')
            end as status,
            decisive_ends.conversation_end.end_reason as end_reason,
            cast(coalesce(completed_turns.turn_count, 0) as integer) as turn_count,
            cast(spans.event_count as integer) as event_count,
            spans.started_at,
            decisive_ends.conversation_end.ended_at as ended_at,
            spans.last_event_at

        from spans

        left join completed_turns
            on spans.conversation_id = completed_turns.conversation_id

        left join decisive_ends
            on spans.conversation_id = decisive_ends.conversation_id

        left join end_reasons
            on decisive_ends.conversation_end.end_reason = end_reasons.reason

    )
{%- endmacro %}

{#- The complete turns of conversations, from a step named turn_records to one named complete_turns. A
    turn number that comes again replaces what it said before, as in Pidgin. -#}
{% macro complete_turn_steps() -%}
    complete_turns as (

        select *

        from turn_records

        qualify
            row_number() over (
                partition by conversation_id, turn_number
                order by place desc
            ) = 1

    )
{%- endmacro %}
