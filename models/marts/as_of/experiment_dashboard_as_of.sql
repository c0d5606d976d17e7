{{
    config(
        materialized = 'table_function',
        parameters = ['as_of'],
        contract = {'enforced': false},
    )
}}

with

states as (

    -- A function also where dbt makes every relation an empty query.
    select * from {{ ref('conversation_state_as_of').render() }}(as_of)

),

files as (

    select
        conversation_id,
        source_file,
        file_order

    from {{ ref('int_conversation_files') }}

),

conversations as (

    select * from {{ ref('int_conversations') }}

),

experiments as (

    select * from {{ ref('int_experiments') }}

),

-- For their names.
present_experiments as (

    select * from {{ ref('experiments') }}

),

turn_starts as (

    {{ ordered_events(ref('int_turn_starts'), 'files') }}
    where events.started_at <= as_of  -- noqa: RF02

),

message_requests as (

    {{ ordered_events(ref('int_message_requests'), 'files') }}
    where events.requested_at <= as_of  -- noqa: RF02

),

message_replies as (

    {{ ordered_events(ref('int_message_replies'), 'files') }}
    where events.sent_at <= as_of  -- noqa: RF02

),

turn_records as (

    {{ ordered_events(ref('int_turn_records'), 'files') }}
    where events.completed_at <= as_of  -- noqa: RF02

),

{{ complete_turn_steps() }},

{{ message_steps() }},

{{ spoken_turn_steps('messages') }},

conversation_totals as (

    select
        conversations.experiment_id,
        count(*) as conversation_count,
        {{ status_counts('states.status') }},
        sum(states.turn_count) as turn_count,
        min(states.started_at) as started_at

    from states

    inner join conversations
        on states.conversation_id = conversations.conversation_id

    group by conversations.experiment_id

),

experiment_turns as (

    select
        conversations.experiment_id,
        complete_turns.conversation_id,
        complete_turns.turn_number,
        spoken_turns.is_spoken,
        if(spoken_turns.is_spoken, complete_turns.convergence_score, null) as spoken_score

    from complete_turns

    inner join spoken_turns
        on
            complete_turns.conversation_id = spoken_turns.conversation_id
            and complete_turns.turn_number = spoken_turns.turn_number

    inner join conversations
        on complete_turns.conversation_id = conversations.conversation_id

),

{{ experiment_convergence_steps({'spoken_score': ''}) }},

known_experiments as (

    select
        experiments.experiment_id,
        present_experiments.name,
        experiments.manifest_created_at,
        experiments.planned_conversations,
        if(
            experiments.manifest_updated_at <= as_of,  -- noqa: RF02
            experiments.manifest_error,
            null
        ) as manifest_error

    from experiments

    inner join present_experiments
        on experiments.experiment_id = present_experiments.experiment_id

    where experiments.manifest_known_at <= as_of  -- noqa: RF02

    union all by name

    -- Without a manifest yet, or at all: what is known follows from conversations.
    select
        experiments.experiment_id,
        if(
            experiments.manifest_state = 'missing',
            present_experiments.name,
            experiments.experiment_id
        ) as name

    from experiments

    inner join present_experiments
        on experiments.experiment_id = present_experiments.experiment_id

    semi join conversation_totals
        on experiments.experiment_id = conversation_totals.experiment_id

    where coalesce(experiments.manifest_known_at > as_of, true)  -- noqa: RF02

)

select
    known_experiments.experiment_id,
    known_experiments.name,
    coalesce(known_experiments.manifest_created_at, conversation_totals.started_at) as created_at,
    {{ experiment_status('conversation_totals', 'known_experiments') }} as status,
    cast(coalesce(conversation_totals.conversation_count, 0) as integer) as conversations,
    cast(coalesce(conversation_totals.completed_count, 0) as integer) as completed_conversations,
    cast(coalesce(conversation_totals.interrupted_count, 0) as integer)
        as interrupted_conversations,
    cast(coalesce(conversation_totals.failed_count, 0) as integer) as failed_conversations,
    cast(coalesce(conversation_totals.unfinished_count, 0) as integer)
        as unfinished_conversations,
    cast(coalesce(conversation_totals.turn_count, 0) as integer) as turns,
    cast(coalesce(experiment_convergence.spoken_turns, 0) as integer) as spoken_turns,
    experiment_convergence.avg_convergence,
    experiment_convergence.median_convergence,
    experiment_convergence.convergence_trend,
    experiment_convergence.convergence_trend_within

from known_experiments

left join conversation_totals
    on known_experiments.experiment_id = conversation_totals.experiment_id

left join experiment_convergence
    on known_experiments.experiment_id = experiment_convergence.experiment_id
