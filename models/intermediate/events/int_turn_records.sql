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
        }') as payload

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
        'event_data',
        '$.turn.agent_a_message.content',
        "payload['turn']['agent_a_message']['content']"
    ) }} as agent_a_content,
    {{ message_text(
        'event_data',
        '$.turn.agent_b_message.content',
        "payload['turn']['agent_b_message']['content']"
    ) }} as agent_b_content,
    {{ logged_score("payload['convergence_score']") }} as convergence_score,
    {{ logged_score("payload['legacy_convergence_score']") }} as legacy_convergence_score,
    timestamp as completed_at

from turn_events
