{{ config(alias = 'vocabulary_analysis') }}

with

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

)

select
    turn_metrics.conversation_id,
    turn_metrics.turn_number,
    metrics_a.vocabulary_size as vocab_size_a,
    metrics_b.vocabulary_size as vocab_size_b,
    metrics_a.vocabulary_size + metrics_b.vocabulary_size as total_vocab_size

from turn_metrics

left join message_metrics as metrics_a
    on
        turn_metrics.conversation_id = metrics_a.conversation_id
        and turn_metrics.turn_number = metrics_a.turn_number
        and metrics_a.agent_id = 'agent_a'

left join message_metrics as metrics_b
    on
        turn_metrics.conversation_id = metrics_b.conversation_id
        and turn_metrics.turn_number = metrics_b.turn_number
        and metrics_b.agent_id = 'agent_b'
