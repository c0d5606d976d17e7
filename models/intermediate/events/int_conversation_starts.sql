{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

-- To 2025-08-10 beside the envelope, then nested, and since 2025-08-16 both; temperatures then
-- only nested.
start_events as (

    select
        conversation_id,
        source_file,
        line_position,
        json_transform(event_data, '{
            "agent_a_model": "VARCHAR", "agent_b_model": "VARCHAR",
            "agent_a_display_name": "VARCHAR", "agent_b_display_name": "VARCHAR",
            "temperature_a": "VARCHAR", "temperature_b": "VARCHAR", "initial_prompt": "VARCHAR",
            "max_turns": "VARCHAR",
            "agent_a": {
                "model": "VARCHAR", "display_name": "VARCHAR", "temperature": "VARCHAR",
                "thinking_enabled": "VARCHAR", "thinking_budget": "VARCHAR", "max_tokens": "VARCHAR"
            },
            "agent_b": {
                "model": "VARCHAR", "display_name": "VARCHAR", "temperature": "VARCHAR",
                "thinking_enabled": "VARCHAR", "thinking_budget": "VARCHAR", "max_tokens": "VARCHAR"
            },
            "config": {
                "initial_prompt": "VARCHAR", "max_turns": "VARCHAR", "temperature_a": "VARCHAR",
                "temperature_b": "VARCHAR", "awareness_a": "VARCHAR", "awareness_b": "VARCHAR",
                "choose_names": "VARCHAR", "prompt_tag": "VARCHAR"
            }
        }') as payload

    from events

    where event_type = 'ConversationStartEvent'

)

select
    conversation_id,
    source_file,
    line_position,
    coalesce(nullif(payload['agent_a_model'], ''), payload['agent_a']['model']) as agent_a_model,
    coalesce(nullif(payload['agent_b_model'], ''), payload['agent_b']['model']) as agent_b_model,
    coalesce(payload['agent_a_display_name'], payload['agent_a']['display_name']) as agent_a_name,
    coalesce(payload['agent_b_display_name'], payload['agent_b']['display_name']) as agent_b_name,
    payload['config']['awareness_a'] as awareness_a,
    payload['config']['awareness_b'] as awareness_b,
    coalesce(
        payload['agent_a']['temperature'],
        payload['config']['temperature_a'],
        payload['temperature_a']
    ) as temperature_a,
    coalesce(
        payload['agent_b']['temperature'],
        payload['config']['temperature_b'],
        payload['temperature_b']
    ) as temperature_b,
    payload['agent_a']['thinking_enabled'] as thinking_enabled_a,
    payload['agent_b']['thinking_enabled'] as thinking_enabled_b,
    payload['agent_a']['thinking_budget'] as thinking_budget_a,
    payload['agent_b']['thinking_budget'] as thinking_budget_b,
    payload['agent_a']['max_tokens'] as max_tokens_a,
    payload['agent_b']['max_tokens'] as max_tokens_b,
    payload['config']['choose_names'] as choose_names,
    payload['config']['prompt_tag'] as prompt_tag,
    coalesce(payload['initial_prompt'], payload['config']['initial_prompt']) as initial_prompt,
    coalesce(payload['max_turns'], payload['config']['max_turns']) as max_turns

from start_events
