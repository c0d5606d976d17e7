{#- The state of each conversation from its events alone: the last steps of the mart
    conversation_state and of the function conversation_state_as_of. They follow a step
    named conversation_events and one named end_reasons.

    A conversation may log several ends (June 2025 wrote the cause, then 'completed'), and
    lines after its end (a late reply). The first end that no complete turn follows is the
    one; where turns follow every end, the last. -#}
{% macro conversation_state_steps() -%}
    completed_turns as (

        select
            conversation_id,
            count(distinct turn_number) as turn_count,
            max(struct_pack(file_order := file_order, line_position := line_position)) as last_position

        from conversation_events

        where
            event_type = 'TurnCompleteEvent'
            and turn_number is not null

        group by conversation_id

    ),

    ends as (

        select
            conversation_events.conversation_id,
            struct_pack(
                file_order := conversation_events.file_order,
                line_position := conversation_events.line_position,
                ended_at := conversation_events.timestamp,
                end_reason := json_extract_string(conversation_events.event_data, '$.reason')
            ) as conversation_end,
            coalesce(
                struct_pack(
                    file_order := conversation_events.file_order,
                    line_position := conversation_events.line_position
                ) > completed_turns.last_position,
                true
            ) as is_after_last_turn

        from conversation_events

        left join completed_turns
            on conversation_events.conversation_id = completed_turns.conversation_id

        where conversation_events.event_type = 'ConversationEndEvent'

    ),

    conversation_ends as (

        select
            conversation_id,
            coalesce(
                min(conversation_end) filter (where is_after_last_turn),
                max(conversation_end)
            ) as conversation_end

        from ends

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
                when conversation_ends.conversation_end is null then 'unfinished'
                -- A reason that the table does not list counts as Pidgin 1.1.0 counts it.
                else coalesce(end_reasons.status, 'interrupted')
            end as status,
            conversation_ends.conversation_end.end_reason as end_reason,
            cast(coalesce(completed_turns.turn_count, 0) as integer) as turn_count,
            cast(spans.event_count as integer) as event_count,
            spans.started_at,
            conversation_ends.conversation_end.ended_at as ended_at,
            spans.last_event_at

        from spans

        left join completed_turns
            on spans.conversation_id = completed_turns.conversation_id

        left join conversation_ends
            on spans.conversation_id = conversation_ends.conversation_id

        left join end_reasons
            on conversation_ends.conversation_end.end_reason = end_reasons.reason

    )
{%- endmacro %}

{#- The complete turns of conversations with their scores, from a step named
    conversation_events to one named complete_turns. -#}
{% macro complete_turn_steps() -%}
    -- A turn number that comes again replaces what it said before, as in Pidgin.
    latest_turns as (

        select
            conversation_id,
            turn_number,
            timestamp as completed_at,
            json_extract_string(
                event_data, ['$.convergence_score', '$.legacy_convergence_score']
            ) as score

        from conversation_events

        where
            event_type = 'TurnCompleteEvent'
            and turn_number is not null

        qualify
            row_number() over (
                partition by conversation_id, turn_number
                order by file_order desc, line_position desc
            ) = 1

    ),

    complete_turns as (

        select
            conversation_id,
            turn_number,
            completed_at,
            {{ logged_score('score[1]') }} as convergence_score,
            {{ logged_score('score[2]') }} as legacy_convergence_score

        from latest_turns

    )
{%- endmacro %}
