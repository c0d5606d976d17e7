{{
    config(
        schema = 'intermediate',
        access = 'private',
        persist_docs = {'relation': false, 'columns': false},
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'experiment_id',
        contract = {'enforced': true},
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

experiment_turns as (

    select
        conversations.experiment_id,
        turn_metrics.conversation_id,
        turn_metrics.turn_number,
        turn_metrics.is_spoken,
        if(turn_metrics.is_spoken, turn_metrics.convergence_score, null) as spoken_score,
        turn_metrics.convergence_balanced

    from turn_metrics

    inner join conversations
        on
            turn_metrics.conversation_id = conversations.conversation_id
            and turn_metrics.fingerprint = conversations.fingerprint

    semi join changed_experiments
        on conversations.experiment_id = changed_experiments.experiment_id

),

{{ experiment_convergence_steps({'spoken_score': '', 'convergence_balanced': '_balanced'}) }}

select
    changed_experiments.experiment_id,
    cast(coalesce(experiment_convergence.turns, 0) as integer) as turns,
    cast(coalesce(experiment_convergence.spoken_turns, 0) as integer) as spoken_turns,
    experiment_convergence.avg_convergence,
    experiment_convergence.median_convergence,
    experiment_convergence.convergence_trend,
    experiment_convergence.convergence_trend_within,
    experiment_convergence.avg_convergence_balanced,
    experiment_convergence.median_convergence_balanced,
    experiment_convergence.convergence_trend_balanced,
    experiment_convergence.convergence_trend_within_balanced,
    changed_experiments.fingerprint

from changed_experiments

left join experiment_convergence
    on changed_experiments.experiment_id = experiment_convergence.experiment_id

-- Only where all its turns are there in their present state; after a partial build
-- they may not be.
where
    coalesce(experiment_convergence.turns, 0)
    = struct_extract(changed_experiments.stats, 'total_turns')
