{{ config(alias = 'convergence_trends') }}

with

rolling_convergence as (

    select * from {{ ref('rolling_convergence') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

)

select
    rolling_convergence.conversation_id,
    rolling_convergence.turn_number,
    rolling_convergence.convergence_score,
    rolling_convergence.rolling_avg_5,
    rolling_convergence.rolling_avg_10,
    rolling_convergence.delta as convergence_delta,
    metrics_a.message_length as msg_length_a,
    metrics_b.message_length as msg_length_b

from rolling_convergence

left join message_metrics as metrics_a
    on
        rolling_convergence.conversation_id = metrics_a.conversation_id
        and rolling_convergence.turn_number = metrics_a.turn_number
        and metrics_a.agent_id = 'agent_a'

left join message_metrics as metrics_b
    on
        rolling_convergence.conversation_id = metrics_b.conversation_id
        and rolling_convergence.turn_number = metrics_b.turn_number
        and metrics_b.agent_id = 'agent_b'
