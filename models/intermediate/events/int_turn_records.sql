{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

turn_events as (

    select
        conversation_id,
        source_file,
        line_position,
        turn_number,
        timestamp,
        event_data,
        json_transform(event_data, '{
            "turn": {
                "agent_a_message": {"content": "VARCHAR"},
                "agent_b_message": {"content": "VARCHAR"}
            },
            "convergence_score": "VARCHAR", "legacy_convergence_score": "VARCHAR"
        }') as fields

    from events

    where
        event_type = 'TurnCompleteEvent'
        and turn_number is not null

)

select
    conversation_id,
    source_file,
    line_position,
    turn_number,
    {{ message_text(
        'event_data', '$.turn.agent_a_message.content', 'fields.turn.agent_a_message.content'
    ) }} as agent_a_content,
    {{ message_text(
        'event_data', '$.turn.agent_b_message.content', 'fields.turn.agent_b_message.content'
    ) }} as agent_b_content,
    {{ logged_score('fields.convergence_score') }} as convergence_score,
    {{ logged_score('fields.legacy_convergence_score') }} as legacy_convergence_score,
    timestamp as completed_at

from turn_events
