{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_conversations'},
    )
}}

with

conversations as (

    select * from {{ ref('int_current_conversations') }}

),

files as (

    select * from {{ ref('int_current_files') }}

),

turns as (

    select * from {{ ref('int_turns') }}

),

conversation_state as (

    select * from {{ ref('conversation_state') }}

),

end_reasons as (

    select * from {{ ref('end_reasons') }}

),

model_aliases as (

    select * from {{ ref('model_aliases') }}

),

model_providers as (

    select * from {{ ref('model_providers') }}

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

turn_scores as (

    select
        turns.conversation_id,
        count(*) as turn_count,
        arg_max(turns.convergence_score, turns.turn_number) filter (where turns.is_spoken)
            as final_convergence,
        max(turns.convergence_score) filter (where turns.is_spoken) as peak_convergence,
        not arg_max(turns.is_spoken, turns.turn_number) as ended_on_placeholders

    from turns

    semi join changed_conversations
        on
            turns.conversation_id = changed_conversations.conversation_id
            and turns.fingerprint = changed_conversations.fingerprint

    group by turns.conversation_id

),

-- What the start event did not say before 2025-08-11 stands in the experiment's manifest:
-- per agent, or once for both.
manifest_settings as (

    select
        conversation_id,
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

-- Manifests of July 2025 name the reason of the end where later ones name the status.
manifest_claims as (

    select
        changed_conversations.conversation_id,
        case
            when changed_conversations.manifest_status in ('completed', 'interrupted', 'failed')
                then changed_conversations.manifest_status
            when changed_conversations.manifest_status in ('created', 'running') then 'unfinished'
            else end_reasons.status
        end as claimed_status

    from changed_conversations

    left join end_reasons
        on changed_conversations.manifest_status = end_reasons.reason

),

logged_settings as (

    select
        changed_conversations.conversation_id,
        first_starts.agent_a_model,
        first_starts.agent_b_model,
        first_starts.agent_a_name,
        first_starts.agent_b_name,
        coalesce(
            first_starts.awareness_a,
            manifest_settings.config['awareness_a'],
            manifest_settings.config['awareness']
        ) as awareness_a,
        coalesce(
            first_starts.awareness_b,
            manifest_settings.config['awareness_b'],
            manifest_settings.config['awareness']
        ) as awareness_b,
        coalesce(
            first_starts.temperature_a,
            manifest_settings.config['temperature_a'],
            manifest_settings.config['temperature']
        ) as temperature_a,
        coalesce(
            first_starts.temperature_b,
            manifest_settings.config['temperature_b'],
            manifest_settings.config['temperature']
        ) as temperature_b,
        try_cast(
            coalesce(
                first_starts.thinking_enabled_a,
                request_a.thinking_enabled,
                manifest_settings.config['think_a'],
                manifest_settings.config['think']
            ) as boolean
        ) as thinking_enabled_a,
        try_cast(
            coalesce(
                first_starts.thinking_enabled_b,
                request_b.thinking_enabled,
                manifest_settings.config['think_b'],
                manifest_settings.config['think']
            ) as boolean
        ) as thinking_enabled_b,
        coalesce(
            first_starts.thinking_budget_a,
            request_a.thinking_budget,
            manifest_settings.config['think_budget']
        ) as thinking_budget_a,
        coalesce(
            first_starts.thinking_budget_b,
            request_b.thinking_budget,
            manifest_settings.config['think_budget']
        ) as thinking_budget_b,
        coalesce(
            first_starts.max_tokens_a,
            request_a.max_tokens,
            manifest_settings.config['max_tokens']
        ) as max_tokens_a,
        coalesce(
            first_starts.max_tokens_b,
            request_b.max_tokens,
            manifest_settings.config['max_tokens']
        ) as max_tokens_b,
        manifest_settings.config['convergence_threshold'] as convergence_threshold,
        manifest_settings.config['convergence_action'] as convergence_action,
        try_cast(
            coalesce(first_starts.choose_names, manifest_settings.config['choose_names']) as boolean
        ) as choose_names,
        coalesce(first_starts.prompt_tag, manifest_settings.config['prompt_tag']) as prompt_tag,
        first_starts.initial_prompt,
        first_starts.max_turns,
        coalesce(first_branches.branched_from, manifest_settings.config['branch_from_conversation'])
            as branched_from,
        coalesce(first_branches.branch_point, manifest_settings.config['branch_from_turn'])
            as branch_point

    from changed_conversations

    left join first_starts
        on changed_conversations.conversation_id = first_starts.conversation_id

    left join first_branches
        on changed_conversations.conversation_id = first_branches.conversation_id

    left join first_requests as request_a
        on
            changed_conversations.conversation_id = request_a.conversation_id
            and request_a.agent_id = 'agent_a'

    left join first_requests as request_b
        on
            changed_conversations.conversation_id = request_b.conversation_id
            and request_b.agent_id = 'agent_b'

    left join manifest_settings
        on changed_conversations.conversation_id = manifest_settings.conversation_id

),

logged_models as (

    select agent_a_model as logged_model

    from logged_settings

    where agent_a_model is not null

    union

    select agent_b_model as logged_model

    from logged_settings

    where agent_b_model is not null

),

{{ named_models_steps() }}

select
    changed_conversations.conversation_id,
    changed_conversations.experiment_id,
    changed_conversations.experiment_id_source,
    conversation_state.status,
    conversation_state.end_reason,
    changed_conversations.manifest_status,
    changed_conversations.manifest_error,
    manifest_claims.claimed_status != conversation_state.status as is_status_disputed,
    conversation_state.started_at,
    conversation_state.ended_at,
    conversation_state.last_event_at,
    conversation_state.turn_count,

    -- who spoke
    model_a.model as agent_a_model,
    model_b.model as agent_b_model,
    logged_settings.agent_a_model as agent_a_model_logged,
    logged_settings.agent_b_model as agent_b_model_logged,
    model_a.provider as agent_a_provider,
    model_b.provider as agent_b_provider,
    logged_settings.agent_a_name,
    logged_settings.agent_b_name,

    -- under which conditions
    logged_settings.awareness_a,
    logged_settings.awareness_b,
    {{ is_custom_awareness('logged_settings.awareness_a') }} as has_custom_awareness_a,
    {{ is_custom_awareness('logged_settings.awareness_b') }} as has_custom_awareness_b,
    first_prompts.prompt_a as system_prompt_a,
    first_prompts.prompt_b as system_prompt_b,
    {{ logged_temperature('logged_settings.temperature_a') }} as temperature_a,
    {{ logged_temperature('logged_settings.temperature_b') }} as temperature_b,
    logged_settings.thinking_enabled_a,
    logged_settings.thinking_enabled_b,
    -- The manifest names one budget for both, also where only one of them thinks.
    if(
        logged_settings.thinking_enabled_a,
        {{ logged_tokens('logged_settings.thinking_budget_a') }},
        null
    ) as thinking_budget_a,
    if(
        logged_settings.thinking_enabled_b,
        {{ logged_tokens('logged_settings.thinking_budget_b') }},
        null
    ) as thinking_budget_b,
    {{ logged_tokens('logged_settings.max_tokens_a') }} as max_tokens_a,
    {{ logged_tokens('logged_settings.max_tokens_b') }} as max_tokens_b,
    logged_settings.choose_names,
    logged_settings.prompt_tag,
    logged_settings.initial_prompt,
    {{ logged_count('logged_settings.max_turns') }} as max_turns,
    {{ logged_score('logged_settings.convergence_threshold') }} as convergence_threshold,
    logged_settings.convergence_action,
    logged_settings.branched_from,
    {{ logged_count('logged_settings.branch_point') }} as branch_point,

    turn_scores.final_convergence,
    turn_scores.peak_convergence,
    turn_scores.ended_on_placeholders,
    changed_conversations.fingerprint

from changed_conversations

inner join conversation_state
    on
        changed_conversations.conversation_id = conversation_state.conversation_id
        and changed_conversations.fingerprint = conversation_state.fingerprint

left join logged_settings
    on changed_conversations.conversation_id = logged_settings.conversation_id

left join named_models as model_a
    on logged_settings.agent_a_model = model_a.logged_model

left join named_models as model_b
    on logged_settings.agent_b_model = model_b.logged_model

left join first_prompts
    on changed_conversations.conversation_id = first_prompts.conversation_id

left join turn_scores
    on changed_conversations.conversation_id = turn_scores.conversation_id

left join manifest_claims
    on changed_conversations.conversation_id = manifest_claims.conversation_id

-- Only where the turns are of the same state; after a partial build they may not be.
where coalesce(turn_scores.turn_count, 0) = conversation_state.turn_count
