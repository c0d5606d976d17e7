{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'experiment_id',
        meta = {'fingerprints': 'experiments'},
    )
}}

with

experiments as (

    select * from {{ ref('experiments') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

changed_experiments as (

    select experiments.*

    from experiments
    {{ only_changed('experiments', ref('experiments'), 'experiment_id') }}

),

turn_totals as (

    select
        conversations.experiment_id,
        count(*) as turns,
        {{ convergence_summary('turn_metrics') }}

    from turn_metrics

    inner join conversations
        on
            turn_metrics.conversation_id = conversations.conversation_id
            and turn_metrics.fingerprint = conversations.fingerprint

    semi join changed_experiments
        on conversations.experiment_id = changed_experiments.experiment_id

    group by conversations.experiment_id

)

select
    changed_experiments.experiment_id,
    changed_experiments.name,
    changed_experiments.created_at,
    changed_experiments.status,
    struct_extract(changed_experiments.stats, 'total_conversations') as conversations,
    struct_extract(changed_experiments.stats, 'total_turns') as turns,
    turn_totals.avg_convergence,
    turn_totals.median_convergence,
    turn_totals.convergence_trend,
    changed_experiments.fingerprint

from changed_experiments

left join turn_totals
    on changed_experiments.experiment_id = turn_totals.experiment_id

-- Only where all its turns are there in their present state; after a build of a selection
-- they may not be.
where
    coalesce(turn_totals.turns, 0)
    = struct_extract(changed_experiments.stats, 'total_turns')
