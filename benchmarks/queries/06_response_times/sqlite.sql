-- How long do models take to answer: median, 95th and 99th percentile?
with

answers as (

    select
        case message_metrics.agent_id
            when 'agent_a' then conversations.agent_a_model
            else conversations.agent_b_model
        end as model,
        json_extract(message_metrics.metrics_json, '$.response_time_ms')
            as response_time_ms

    from message_metrics

    inner join conversations using (conversation_id)

),

ranked as (

    select
        *,
        row_number() over (partition by model order by response_time_ms) as place,
        count(*) over (partition by model) as answers

    from answers

)

select
    model,
    answers,
    min(response_time_ms) filter (where place * 100 >= answers * 50) as median_ms,
    min(response_time_ms) filter (where place * 100 >= answers * 95) as p95_ms,
    min(response_time_ms) filter (where place * 100 >= answers * 99) as p99_ms
from ranked
group by model, answers
order by model
