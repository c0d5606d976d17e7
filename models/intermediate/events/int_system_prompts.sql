{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

prompt_events as (

    select
        conversation_id,
        source_file,
        line_position,
        agent_id,
        json_transform(event_data, '{
            "prompt": "VARCHAR", "agent_display_name": "VARCHAR"
        }') as payload

    from events

    where event_type = 'SystemPromptEvent'

)

select
    conversation_id,
    source_file,
    line_position,
    agent_id,
    coalesce(regexp_matches(payload['agent_display_name'], '^Turn \d+ injection'), false)
        as is_injected,
    payload['prompt'] as prompt

from prompt_events
