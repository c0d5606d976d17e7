{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        on_schema_change = 'fail',
    )
}}

with

conversations as (

    select * from {{ ref('int_conversations') }}

),

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

changed_conversations as (

    select conversations.*

    from conversations
    {% if is_incremental() %}
        anti join {{ processed(this) }} as processed
            on
                conversations.conversation_id = processed.conversation_id
                and conversations.fingerprint = processed.fingerprint
    {% endif %}

),

changed_turns as (

    select
        turn_metrics.conversation_id,
        turn_metrics.turn_number,
        turn_metrics.convergence_score,
        changed_conversations.fingerprint

    from turn_metrics

    inner join changed_conversations
        on turn_metrics.conversation_id = changed_conversations.conversation_id

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
