{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        on_schema_change = 'fail',
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
    {% if is_incremental() %}
        anti join {{ processed(this) }} as processed
            on
                turn_metrics.conversation_id = processed.conversation_id
                and turn_metrics.fingerprint = processed.fingerprint
    {% endif %}

)

select
    conversation_id,
    turn_number,
    convergence_score,
    avg(convergence_score) over (
        partition by conversation_id
        order by turn_number
        rows between 4 preceding and current row
    ) as rolling_avg_5,
    fingerprint

from changed_turns
