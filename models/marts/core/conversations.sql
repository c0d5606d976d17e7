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

settings as (

    select * from {{ ref('int_conversation_settings') }}

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

changed_settings as (

    select settings.*

    from settings

    semi join changed_conversations
        on
            settings.conversation_id = changed_conversations.conversation_id
            and settings.fingerprint = changed_conversations.fingerprint

),

logged_models as (

    select agent_a_model_logged as logged_model

    from changed_settings

    where agent_a_model_logged is not null

    union

    select agent_b_model_logged as logged_model

    from changed_settings

    where agent_b_model_logged is not null

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
    changed_settings.agent_a_model_logged,
    changed_settings.agent_b_model_logged,
    model_a.provider as agent_a_provider,
    model_b.provider as agent_b_provider,
    changed_settings.agent_a_name,
    changed_settings.agent_b_name,

    -- under which conditions
    changed_settings.awareness_a,
    changed_settings.awareness_b,
    changed_settings.has_custom_awareness_a,
    changed_settings.has_custom_awareness_b,
    changed_settings.system_prompt_a,
    changed_settings.system_prompt_b,
    changed_settings.temperature_a,
    changed_settings.temperature_b,
    changed_settings.thinking_enabled_a,
    changed_settings.thinking_enabled_b,
    changed_settings.thinking_budget_a,
    changed_settings.thinking_budget_b,
    changed_settings.max_tokens_a,
    changed_settings.max_tokens_b,
    changed_settings.choose_names,
    changed_settings.prompt_tag,
    changed_settings.initial_prompt,
    changed_settings.max_turns,
    changed_settings.convergence_threshold,
    changed_settings.convergence_action,
    changed_settings.branched_from,
    changed_settings.branch_point,

    turn_scores.final_convergence,
    turn_scores.peak_convergence,
    turn_scores.ended_on_placeholders,
    changed_conversations.fingerprint

from changed_conversations

inner join conversation_state
    on
        changed_conversations.conversation_id = conversation_state.conversation_id
        and changed_conversations.fingerprint = conversation_state.fingerprint

inner join changed_settings
    on changed_conversations.conversation_id = changed_settings.conversation_id

left join named_models as model_a
    on changed_settings.agent_a_model_logged = model_a.logged_model

left join named_models as model_b
    on changed_settings.agent_b_model_logged = model_b.logged_model

left join turn_scores
    on changed_conversations.conversation_id = turn_scores.conversation_id

left join manifest_claims
    on changed_conversations.conversation_id = manifest_claims.conversation_id

-- Only where the turns are of the same state; after a partial build they may not be.
where coalesce(turn_scores.turn_count, 0) = conversation_state.turn_count
