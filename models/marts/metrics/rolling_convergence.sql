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

deltas as (

    select
        conversation_id,
        turn_number,
        fingerprint,
        convergence_score,
        convergence_balanced,
        convergence_score - lag(convergence_score) over conversation as delta,
        convergence_balanced - lag(convergence_balanced) over conversation as balanced_delta

    from changed_turns

    window conversation as (
        partition by conversation_id
        order by turn_number
    )

)

select
    conversation_id,
    turn_number,

    -- as recorded
    convergence_score,
    delta,
    avg(convergence_score) over five_turns as rolling_avg_5,
    avg(convergence_score) over ten_turns as rolling_avg_10,
    stddev_samp(convergence_score) over five_turns as rolling_stddev_5,
    stddev_samp(convergence_score) over ten_turns as rolling_stddev_10,
    {{ convergence_trend('delta', 'conversation') }} as trend,

    -- computed anew with the balanced profile
    convergence_balanced,
    balanced_delta,
    avg(convergence_balanced) over five_turns as balanced_rolling_avg_5,
    avg(convergence_balanced) over ten_turns as balanced_rolling_avg_10,
    stddev_samp(convergence_balanced) over five_turns as balanced_rolling_stddev_5,
    stddev_samp(convergence_balanced) over ten_turns as balanced_rolling_stddev_10,
    {{ convergence_trend('balanced_delta', 'conversation') }} as balanced_trend,
    nullif(
        regr_slope(convergence_balanced, turn_number) over five_turns, cast('nan' as double)
    ) as convergence_velocity,

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
