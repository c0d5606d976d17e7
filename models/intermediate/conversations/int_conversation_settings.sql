{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_conversations'},
        contract = {'enforced': true},
    )
}}

with

conversations as (

    select * from {{ ref('int_current_conversations') }}

),

files as (

    select * from {{ ref('int_current_files') }}

),

changed_conversations as (

    select conversations.*

    from conversations
    {{ only_changed('conversations', ref('int_current_conversations')) }}

),

changed_files as (

    select files.*

    from files

    semi join changed_conversations
        on files.conversation_id = changed_conversations.conversation_id

),

conversation_starts as (

    {{ ordered_events(ref('int_conversation_starts')) }}

),

conversation_branches as (

    {{ ordered_events(ref('int_conversation_branches')) }}

),

system_prompts as (

    {{ ordered_events(ref('int_system_prompts')) }}

),

message_requests as (

    {{ ordered_events(ref('int_message_requests')) }}

),

first_starts as (

    select *

    from conversation_starts

    qualify
        row_number() over (
            partition by conversation_id
            order by place
        ) = 1

),

first_branches as (

    select
        conversation_id,
        arg_min_null(branched_from, place) as branched_from,
        arg_min_null(branch_point, place) as branch_point

    from conversation_branches

    group by conversation_id

),

-- The first of each agent; later ones are told it between turns.
first_prompts as (

    select
        conversation_id,
        arg_min_null(prompt, place) filter (where agent_id = 'agent_a') as prompt_a,
        arg_min_null(prompt, place) filter (where agent_id = 'agent_b') as prompt_b

    from system_prompts

    where not is_injected

    group by conversation_id

),

-- What was asked for with the first message of each agent, where no start event says it.
first_requests as (

    select *

    from message_requests

    qualify
        row_number() over (
            partition by conversation_id, agent_id
            order by place
        ) = 1

),

-- What the start event did not say before 2025-08-11 stands in the experiment's manifest:
-- per agent, or once for both.
manifest_settings as (

    select
        conversation_id,
        fingerprint,
        json_transform(experiment_config, '{
            "temperature": "VARCHAR", "temperature_a": "VARCHAR", "temperature_b": "VARCHAR",
            "awareness": "VARCHAR", "awareness_a": "VARCHAR", "awareness_b": "VARCHAR",
            "think": "VARCHAR", "think_a": "VARCHAR", "think_b": "VARCHAR",
            "think_budget": "VARCHAR", "max_tokens": "VARCHAR", "convergence_threshold": "VARCHAR",
            "convergence_action": "VARCHAR", "choose_names": "VARCHAR", "prompt_tag": "VARCHAR",
            "branch_from_conversation": "VARCHAR", "branch_from_turn": "VARCHAR"
        }') as config

    from changed_conversations

),

logged_settings as (

    select
        manifest_settings.conversation_id,
        {% for agent in ['a', 'b'] -%}
            first_starts.agent_{{ agent }}_model,
            first_starts.agent_{{ agent }}_name,
            coalesce(
                first_starts.awareness_{{ agent }},
                manifest_settings.config['awareness_{{ agent }}'],
                manifest_settings.config['awareness']
            ) as awareness_{{ agent }},
            first_prompts.prompt_{{ agent }},
            coalesce(
                first_starts.temperature_{{ agent }},
                manifest_settings.config['temperature_{{ agent }}'],
                manifest_settings.config['temperature']
            ) as temperature_{{ agent }},
            try_cast(
                coalesce(
                    first_starts.thinking_enabled_{{ agent }},
                    request_{{ agent }}.thinking_enabled,
                    manifest_settings.config['think_{{ agent }}'],
                    manifest_settings.config['think']
                ) as boolean
            ) as thinking_enabled_{{ agent }},
            coalesce(
                first_starts.thinking_budget_{{ agent }},
                request_{{ agent }}.thinking_budget,
                manifest_settings.config['think_budget']
            ) as thinking_budget_{{ agent }},
            coalesce(
                first_starts.max_tokens_{{ agent }},
                request_{{ agent }}.max_tokens,
                manifest_settings.config['max_tokens']
            ) as max_tokens_{{ agent }},
        {% endfor -%}
        try_cast(
            coalesce(first_starts.choose_names, manifest_settings.config['choose_names']) as boolean
        ) as choose_names,
        coalesce(first_starts.prompt_tag, manifest_settings.config['prompt_tag']) as prompt_tag,
        first_starts.initial_prompt,
        first_starts.max_turns,
        manifest_settings.config['convergence_threshold'] as convergence_threshold,
        manifest_settings.config['convergence_action'] as convergence_action,
        coalesce(first_branches.branched_from, manifest_settings.config['branch_from_conversation'])
            as branched_from,
        coalesce(first_branches.branch_point, manifest_settings.config['branch_from_turn'])
            as branch_point,
        manifest_settings.fingerprint

    from manifest_settings

    left join first_starts
        on manifest_settings.conversation_id = first_starts.conversation_id

    left join first_branches
        on manifest_settings.conversation_id = first_branches.conversation_id

    left join first_prompts
        on manifest_settings.conversation_id = first_prompts.conversation_id
    {% for agent in ['a', 'b'] %}
        left join first_requests as request_{{ agent }}
            on
                manifest_settings.conversation_id = request_{{ agent }}.conversation_id
                and request_{{ agent }}.agent_id = 'agent_{{ agent }}'
    {% endfor %}
)

select
    conversation_id,
    {% for agent in ['a', 'b'] -%}
        agent_{{ agent }}_model as agent_{{ agent }}_model_logged,
        agent_{{ agent }}_name,
        awareness_{{ agent }},
        {{ is_custom_awareness('awareness_' ~ agent) }} as has_custom_awareness_{{ agent }},
        prompt_{{ agent }} as system_prompt_{{ agent }},
        {{ logged_temperature('temperature_' ~ agent) }} as temperature_{{ agent }},
        thinking_enabled_{{ agent }},
        -- The manifest names one budget for both, also where only one of them thinks.
        if(thinking_enabled_{{ agent }}, {{ logged_tokens('thinking_budget_' ~ agent) }}, null)
            as thinking_budget_{{ agent }},
        {{ logged_tokens('max_tokens_' ~ agent) }} as max_tokens_{{ agent }},
    {% endfor -%}
    choose_names,
    prompt_tag,
    initial_prompt,
    {{ logged_count('max_turns') }} as max_turns,
    {{ logged_score('convergence_threshold') }} as convergence_threshold,
    convergence_action,
    branched_from,
    {{ logged_count('branch_point') }} as branch_point,
    fingerprint

from logged_settings
