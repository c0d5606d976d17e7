{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'turn_metrics'},
    )
}}

with

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

changed_turns as (

    select turn_metrics.*

    from turn_metrics
    {{ only_changed('turn_metrics', ref('turn_metrics')) }}

),

-- What agents did not say does not converge, whatever was recorded.
spoken_scores as (

    select
        conversation_id,
        experiment_id,
        turn_number,
        is_spoken,
        fingerprint,
        convergence_score,
        convergence_balanced,
        if(is_spoken, convergence_score, null) as spoken_score

    from changed_turns

),

deltas as (

    select
        *,
        {{ rounded('spoken_score - lag(spoken_score) over conversation') }} as delta,
        {{ rounded('convergence_balanced - lag(convergence_balanced) over conversation') }}
            as balanced_delta

    from spoken_scores

    window conversation as (
        partition by conversation_id
        order by turn_number
    )

)

select
    conversation_id,
    experiment_id,
    turn_number,
    is_spoken,

    -- as recorded
    convergence_score,
    delta,
    {{ rounded('avg(spoken_score) over five_turns') }} as rolling_avg_5,
    {{ rounded('avg(spoken_score) over ten_turns') }} as rolling_avg_10,
    {{ rounded('stddev_samp(spoken_score) over five_turns') }} as rolling_stddev_5,
    {{ rounded('stddev_samp(spoken_score) over ten_turns') }} as rolling_stddev_10,
    {{ convergence_trend('delta', 'conversation') }} as trend,

    -- computed anew with the balanced profile
    convergence_balanced,
    balanced_delta,
    {{ rounded('avg(convergence_balanced) over five_turns') }} as balanced_rolling_avg_5,
    {{ rounded('avg(convergence_balanced) over ten_turns') }} as balanced_rolling_avg_10,
    {{ rounded('stddev_samp(convergence_balanced) over five_turns') }}
        as balanced_rolling_stddev_5,
    {{ rounded('stddev_samp(convergence_balanced) over ten_turns') }}
        as balanced_rolling_stddev_10,
    {{ convergence_trend('balanced_delta', 'conversation') }} as balanced_trend,
    {{ rounded(slope('convergence_balanced', 'turn_number', over='five_turns')) }}
        as convergence_velocity,

    fingerprint

from deltas

window
    conversation as (
        partition by conversation_id
        order by turn_number
    ),
    five_turns as (
        partition by conversation_id
        order by turn_number
        rows between 4 preceding and current row
    ),
    ten_turns as (
        partition by conversation_id
        order by turn_number
        rows between 9 preceding and current row
    )
