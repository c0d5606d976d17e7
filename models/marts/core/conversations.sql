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

conversation_files as (

    select * from {{ ref('int_conversation_files') }}

),

events as (

    select * from {{ ref('int_events') }}

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

beginnings as (

    select
        events.conversation_id,
        events.event_type,
        events.agent_id,
        events.event_data,
        conversation_files.file_order,
        events.line_position,
        struct_pack(
            file_order := conversation_files.file_order, line_position := events.line_position
        ) as position

    from events

    semi join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    inner join conversation_files
        on
            events.conversation_id = conversation_files.conversation_id
            and events.source_file = conversation_files.source_file

    where
        events.event_type in (
            'ConversationStartEvent', 'ConversationBranchedEvent', 'SystemPromptEvent',
            'MessageRequestEvent'
        )

),

start_events as (

    select
        conversation_id,
        file_order,
        line_position,
        json_extract_string(event_data, [
            '$.agent_a_model', '$.agent_b_model', '$.agent_a.model', '$.agent_b.model',
            '$.agent_a_display_name', '$.agent_b_display_name',
            '$.agent_a.display_name', '$.agent_b.display_name',
            '$.agent_a.temperature', '$.agent_b.temperature',
            '$.config.temperature_a', '$.config.temperature_b',
            '$.temperature_a', '$.temperature_b',
            '$.config.awareness_a', '$.config.awareness_b',
            '$.initial_prompt', '$.config.initial_prompt',
            '$.max_turns', '$.config.max_turns',
            '$.agent_a.thinking_enabled', '$.agent_b.thinking_enabled',
            '$.agent_a.thinking_budget', '$.agent_b.thinking_budget',
            '$.agent_a.max_tokens', '$.agent_b.max_tokens',
            '$.config.choose_names', '$.config.prompt_tag'
        ]) as field

    from beginnings

    where event_type = 'ConversationStartEvent'

),

first_starts as (

    select *

    from start_events

    qualify
        row_number() over (
            partition by conversation_id
            order by file_order, line_position
        ) = 1

),

branches as (

    select
        conversation_id,
        json_extract_string(
            arg_min(event_data, position), ['$.source_conversation_id', '$.branch_point']
        ) as field

    from beginnings

    where event_type = 'ConversationBranchedEvent'

    group by conversation_id

),

-- The first of each agent; later ones are told it between turns.
system_prompts as (

    select
        conversation_id,
        arg_min(event_data, position) filter (where agent_id = 'agent_a') as event_a,
        arg_min(event_data, position) filter (where agent_id = 'agent_b') as event_b

    from beginnings

    where
        event_type = 'SystemPromptEvent'
        and not coalesce(
            regexp_matches(
                json_extract_string(event_data, '$.agent_display_name'), '^Turn \d+ injection'
            ),
            false
        )

    group by conversation_id

),

-- What was asked for with the first message of each agent, where no start event says it.
first_requests as (

    select
        conversation_id,
        json_extract_string(
            arg_min(event_data, position) filter (where agent_id = 'agent_a'),
            ['$.thinking_enabled', '$.thinking_budget', '$.max_tokens']
        ) as field_a,
        json_extract_string(
            arg_min(event_data, position) filter (where agent_id = 'agent_b'),
            ['$.thinking_enabled', '$.thinking_budget', '$.max_tokens']
        ) as field_b

    from beginnings

    where event_type = 'MessageRequestEvent'

    group by conversation_id

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
        json_extract_string(experiment_config, [
            '$.temperature_a', '$.temperature_b', '$.temperature',
            '$.awareness_a', '$.awareness_b', '$.awareness',
            '$.think_a', '$.think_b', '$.think', '$.think_budget', '$.max_tokens',
            '$.convergence_threshold', '$.convergence_action', '$.choose_names', '$.prompt_tag',
            '$.branch_from_conversation', '$.branch_from_turn'
        ]) as field

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
        coalesce(first_starts.field[1], first_starts.field[3]) as agent_a_model,
        coalesce(first_starts.field[2], first_starts.field[4]) as agent_b_model,
        coalesce(first_starts.field[5], first_starts.field[7]) as agent_a_name,
        coalesce(first_starts.field[6], first_starts.field[8]) as agent_b_name,
        coalesce(
            first_starts.field[15], manifest_settings.field[4], manifest_settings.field[6]
        ) as awareness_a,
        coalesce(
            first_starts.field[16], manifest_settings.field[5], manifest_settings.field[6]
        ) as awareness_b,
        {{ logged_temperature(
            'coalesce(first_starts.field[9], first_starts.field[11], first_starts.field[13],'
            ~ ' manifest_settings.field[1], manifest_settings.field[3])'
        ) }} as temperature_a,
        {{ logged_temperature(
            'coalesce(first_starts.field[10], first_starts.field[12], first_starts.field[14],'
            ~ ' manifest_settings.field[2], manifest_settings.field[3])'
        ) }} as temperature_b,
        try_cast(
            coalesce(
                first_starts.field[21], first_requests.field_a[1],
                manifest_settings.field[7], manifest_settings.field[9]
            ) as boolean
        ) as thinking_enabled_a,
        try_cast(
            coalesce(
                first_starts.field[22], first_requests.field_b[1],
                manifest_settings.field[8], manifest_settings.field[9]
            ) as boolean
        ) as thinking_enabled_b,
        coalesce(
            first_starts.field[23], first_requests.field_a[2], manifest_settings.field[10]
        ) as thinking_budget_a,
        coalesce(
            first_starts.field[24], first_requests.field_b[2], manifest_settings.field[10]
        ) as thinking_budget_b,
        {{ logged_tokens(
            'coalesce(first_starts.field[25], first_requests.field_a[3], manifest_settings.field[11])'
        ) }} as max_tokens_a,
        {{ logged_tokens(
            'coalesce(first_starts.field[26], first_requests.field_b[3], manifest_settings.field[11])'
        ) }} as max_tokens_b,
        {{ logged_score('manifest_settings.field[12]') }} as convergence_threshold,
        manifest_settings.field[13] as convergence_action,
        try_cast(
            coalesce(first_starts.field[27], manifest_settings.field[14]) as boolean
        ) as choose_names,
        coalesce(first_starts.field[28], manifest_settings.field[15]) as prompt_tag,
        coalesce(first_starts.field[17], first_starts.field[18]) as initial_prompt,
        {{ logged_count('coalesce(first_starts.field[19], first_starts.field[20])') }} as max_turns

    from changed_conversations

    left join first_starts
        on changed_conversations.conversation_id = first_starts.conversation_id

    left join first_requests
        on changed_conversations.conversation_id = first_requests.conversation_id

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
    json_extract_string(system_prompts.event_a, '$.prompt') as system_prompt_a,
    json_extract_string(system_prompts.event_b, '$.prompt') as system_prompt_b,
    logged_settings.temperature_a,
    logged_settings.temperature_b,
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
    logged_settings.max_tokens_a,
    logged_settings.max_tokens_b,
    logged_settings.choose_names,
    logged_settings.prompt_tag,
    logged_settings.initial_prompt,
    logged_settings.max_turns,
    logged_settings.convergence_threshold,
    logged_settings.convergence_action,
    coalesce(branches.field[1], manifest_settings.field[16]) as branched_from,
    {{ logged_count('coalesce(branches.field[2], manifest_settings.field[17])') }} as branch_point,

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

left join system_prompts
    on changed_conversations.conversation_id = system_prompts.conversation_id

left join branches
    on changed_conversations.conversation_id = branches.conversation_id

left join manifest_settings
    on changed_conversations.conversation_id = manifest_settings.conversation_id

left join turn_scores
    on changed_conversations.conversation_id = turn_scores.conversation_id

left join manifest_claims
    on changed_conversations.conversation_id = manifest_claims.conversation_id

-- Only where the turns are of the same state; after a build of a selection they may not be.
where coalesce(turn_scores.turn_count, 0) = conversation_state.turn_count
