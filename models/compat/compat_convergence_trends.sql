{{ config(alias = 'convergence_trends') }}

with

turns as (

    select * from {{ ref('analysis_turns') }}

)

select
    conversation_id,
    turn_number,
    convergence_score,
    rolling_avg_5,
    rolling_avg_10,
    delta as convergence_delta,
    a_message_length as msg_length_a,
    b_message_length as msg_length_b

from turns
