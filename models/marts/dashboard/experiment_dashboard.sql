{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'experiment_id',
        on_schema_change = 'fail',
    )
}}

with

experiment_fingerprints as (

    select * from {{ ref('int_experiments') }}

),

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

    select
        experiments.experiment_id,
        experiments.name,
        experiments.created_at,
        experiments.status,
        experiment_fingerprints.fingerprint

    from experiments

    inner join experiment_fingerprints
        on experiments.experiment_id = experiment_fingerprints.experiment_id
    {% if is_incremental() %}
        anti join {{ processed(this) }} as processed
            on
                experiment_fingerprints.experiment_id = processed.experiment_id
                and experiment_fingerprints.fingerprint = processed.fingerprint
    {% endif %}

),

conversation_totals as (

    select
        experiment_id,
        count(*) as conversations,
        sum(turn_count) as turns

    from conversations

    group by experiment_id

),

turn_totals as (

    select
        conversations.experiment_id,
        -- In order, so that sums of floating-point numbers are the same each time.
        avg(
            turn_metrics.convergence_score
            order by turn_metrics.conversation_id, turn_metrics.turn_number
        ) as avg_convergence,
        median(turn_metrics.convergence_score) as median_convergence,
        -- A line through turns of one number has no slope: NaN.
        nullif(
            regr_slope(
                turn_metrics.convergence_score, turn_metrics.turn_number
                order by turn_metrics.conversation_id, turn_metrics.turn_number
            ),
            cast('nan' as double)
        ) as convergence_trend

    from turn_metrics

    inner join conversations
        on turn_metrics.conversation_id = conversations.conversation_id

    semi join changed_experiments
        on conversations.experiment_id = changed_experiments.experiment_id

    group by conversations.experiment_id

)

select
    changed_experiments.experiment_id,
    changed_experiments.name,
    changed_experiments.created_at,
    changed_experiments.status,
    cast(coalesce(conversation_totals.conversations, 0) as integer) as conversations,
    cast(coalesce(conversation_totals.turns, 0) as integer) as turns,
    turn_totals.avg_convergence,
    turn_totals.median_convergence,
    turn_totals.convergence_trend,
    changed_experiments.fingerprint

from changed_experiments

left join conversation_totals
    on changed_experiments.experiment_id = conversation_totals.experiment_id

left join turn_totals
    on changed_experiments.experiment_id = turn_totals.experiment_id
