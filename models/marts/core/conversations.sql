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

changed_conversations as (

    select conversations.*

    from conversations
    {{ only_changed('conversations', ref('int_current_conversations')) }}

),

beginnings as (

    select
        events.conversation_id,
        events.event_type,
        events.event_data,
        conversation_files.file_order,
        events.line_number

    from events

    semi join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    inner join conversation_files
        on
            events.conversation_id = conversation_files.conversation_id
            and events.source_file = conversation_files.source_file

    where events.event_type in ('ConversationStartEvent', 'ConversationBranchedEvent')

),

start_events as (

    select
        conversation_id,
        file_order,
        line_number,
        json_extract_string(event_data, [
            '$.agent_a_model', '$.agent_b_model', '$.agent_a.model', '$.agent_b.model',
            '$.agent_a_display_name', '$.agent_b_display_name',
            '$.agent_a.display_name', '$.agent_b.display_name',
            '$.agent_a.temperature', '$.agent_b.temperature',
            '$.config.temperature_a', '$.config.temperature_b',
            '$.temperature_a', '$.temperature_b',
            '$.config.awareness_a', '$.config.awareness_b',
            '$.initial_prompt', '$.config.initial_prompt',
            '$.max_turns', '$.config.max_turns'
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
            order by file_order, line_number
        ) = 1

),

branches as (

    select
        conversation_id,
        min(json_extract_string(event_data, '$.source_conversation_id')) as branched_from

    from beginnings

    where event_type = 'ConversationBranchedEvent'

    group by conversation_id

),

turn_scores as (

    select
        turns.conversation_id,
        count(*) as turn_count,
        arg_max(turns.convergence_score, turns.turn_number) as final_convergence,
        max(turns.convergence_score) as peak_convergence

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
            '$.awareness_a', '$.awareness_b', '$.awareness'
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

)

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
    try_cast(
        coalesce(
            first_starts.field[9], first_starts.field[11], first_starts.field[13],
            manifest_settings.field[1], manifest_settings.field[3]
        ) as double
    ) as temperature_a,
    try_cast(
        coalesce(
            first_starts.field[10], first_starts.field[12], first_starts.field[14],
            manifest_settings.field[2], manifest_settings.field[3]
        ) as double
    ) as temperature_b,
    coalesce(first_starts.field[17], first_starts.field[18]) as initial_prompt,
    try_cast(coalesce(first_starts.field[19], first_starts.field[20]) as integer) as max_turns,
    branches.branched_from,
    turn_scores.final_convergence,
    turn_scores.peak_convergence,
    changed_conversations.fingerprint

from changed_conversations

inner join conversation_state
    on
        changed_conversations.conversation_id = conversation_state.conversation_id
        and changed_conversations.fingerprint = conversation_state.fingerprint

left join first_starts
    on changed_conversations.conversation_id = first_starts.conversation_id

left join branches
    on changed_conversations.conversation_id = branches.conversation_id

left join turn_scores
    on changed_conversations.conversation_id = turn_scores.conversation_id

left join manifest_settings
    on changed_conversations.conversation_id = manifest_settings.conversation_id

left join manifest_claims
    on changed_conversations.conversation_id = manifest_claims.conversation_id

-- Only where the turns are of the same state; after a build of a selection they may not be.
where coalesce(turn_scores.turn_count, 0) = conversation_state.turn_count
