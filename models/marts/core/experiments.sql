{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'experiment_id',
        meta = {'fingerprints': 'int_experiments'},
    )
}}

with

experiments as (

    select * from {{ ref('int_experiments') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

turns as (

    select * from {{ ref('int_turns') }}

),

changed_experiments as (

    select experiments.*

    from experiments
    {{ only_changed('experiments', ref('int_experiments'), 'experiment_id') }}

),

turn_totals as (

    select
        conversations.experiment_id,
        -- In order, so that the sum of floating-point numbers is the same each time.
        {{ rounded(
            'avg(turns.convergence_score order by turns.conversation_id, turns.turn_number)'
            ~ ' filter (where turns.is_spoken)'
        ) }} as avg_convergence,
        count(*) as turn_count

    from turns

    inner join conversations
        on
            turns.conversation_id = conversations.conversation_id
            and turns.fingerprint = conversations.fingerprint

    semi join changed_experiments
        on conversations.experiment_id = changed_experiments.experiment_id

    group by conversations.experiment_id

),

conversation_totals as (

    select
        conversations.experiment_id,
        count(*) as conversation_count,
        {{ status_counts('conversations.status') }},
        sum(conversations.turn_count) as turn_count,
        min(conversations.started_at) as started_at,
        max(conversations.last_event_at) as last_event_at,
        hash(sum(hash(conversations.conversation_id, conversations.fingerprint))) as content_hash

    from conversations

    semi join changed_experiments
        on conversations.experiment_id = changed_experiments.experiment_id

    group by conversations.experiment_id

),

statuses as (

    select
        changed_experiments.*,
        conversation_totals.started_at,
        conversation_totals.last_event_at,
        coalesce(conversation_totals.conversation_count, 0) as known_conversations,
        coalesce(conversation_totals.completed_count, 0) as completed_count,
        coalesce(conversation_totals.turn_count, 0) as turn_count,
        turn_totals.avg_convergence,
        {{ experiment_status('conversation_totals', 'changed_experiments') }} as status

    from changed_experiments

    left join conversation_totals
        on changed_experiments.experiment_id = conversation_totals.experiment_id

    left join turn_totals
        on changed_experiments.experiment_id = turn_totals.experiment_id

    -- Only where all its conversations and turns are there in their present state; after a
    -- build of a selection they may not be.
    where
        coalesce(conversation_totals.content_hash, 0) = changed_experiments.content_hash
        and coalesce(turn_totals.turn_count, 0) = coalesce(conversation_totals.turn_count, 0)

)

select
    experiment_id,
    coalesce(
        name,
        if(
            starts_with(experiment_id, 'chats_'),
            'Single chats of ' || substr(experiment_id, 7),
            experiment_id
        )
    ) as name,
    coalesce(manifest_created_at, started_at) as created_at,
    started_at,
    last_event_at,
    -- Archives of older versions hold whatever time an event claimed. In whole milliseconds, since
    -- a lake keeps no parts of them.
    try(
        date_trunc('millisecond', last_event_at) - date_trunc('millisecond', started_at)
    ) as duration,
    status,
    manifest_status,
    manifest_error,
    manifest_state,
    case
        when manifest_status in ('completed', 'interrupted', 'failed') then manifest_status
        when manifest_status = 'cancelled' then 'interrupted'
        when manifest_status in ('created', 'running', 'post_processing') then 'unfinished'
    end != status as is_status_disputed,
    planned_conversations,
    config,
    struct_pack(
        total_conversations := cast(known_conversations as integer),
        completed_conversations := cast(completed_count as integer),
        avg_convergence := avg_convergence,
        total_turns := cast(turn_count as integer)
    ) as stats,
    coalesce(is_synthetic, false) as is_synthetic,
    is_archived,
    fingerprint

from statuses
