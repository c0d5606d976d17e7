-- How long do models take to answer: median, 95th and 99th percentile?
with

answers as (

    select
        if(
            messages.agent_id = 'agent_a',
            conversations.agent_a_model, conversations.agent_b_model
        ) as model,
        messages.response_time_ms

    from messages

    inner join conversations using (conversation_id)

    semi join message_metrics using (conversation_id, turn_number, agent_id)

)

select
    model,
    count(*) as answers,
    quantile_disc(response_time_ms, 0.5) as median_ms,
    quantile_disc(response_time_ms, 0.95) as p95_ms,
    quantile_disc(response_time_ms, 0.99) as p99_ms
from answers
group by model
order by model
