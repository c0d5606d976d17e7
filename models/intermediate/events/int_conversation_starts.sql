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
        }') as fields

    from events

    where event_type = 'ConversationStartEvent'

)

select
    conversation_id,
    source_file,
    line_position,
    coalesce(fields.agent_a_model, fields.agent_a.model) as agent_a_model,
    coalesce(fields.agent_b_model, fields.agent_b.model) as agent_b_model,
    coalesce(fields.agent_a_display_name, fields.agent_a.display_name) as agent_a_name,
    coalesce(fields.agent_b_display_name, fields.agent_b.display_name) as agent_b_name,
    fields.config.awareness_a as awareness_a,
    fields.config.awareness_b as awareness_b,
    coalesce(fields.agent_a.temperature, fields.config.temperature_a, fields.temperature_a)
        as temperature_a,
    coalesce(fields.agent_b.temperature, fields.config.temperature_b, fields.temperature_b)
        as temperature_b,
    fields.agent_a.thinking_enabled as thinking_enabled_a,
    fields.agent_b.thinking_enabled as thinking_enabled_b,
    fields.agent_a.thinking_budget as thinking_budget_a,
    fields.agent_b.thinking_budget as thinking_budget_b,
    fields.agent_a.max_tokens as max_tokens_a,
    fields.agent_b.max_tokens as max_tokens_b,
    fields.config.choose_names as choose_names,
    fields.config.prompt_tag as prompt_tag,
    coalesce(fields.initial_prompt, fields.config.initial_prompt) as initial_prompt,
    coalesce(fields.max_turns, fields.config.max_turns) as max_turns

from start_events
