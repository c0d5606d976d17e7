-- How many messages of each model hold a phrase, and how long are these?
select
    case message_metrics.agent_id
        when 'agent_a' then conversations.agent_a_model
        else conversations.agent_b_model
    end as model,
    count(*) as messages,
    avg(message_metrics.word_count) as mean_words
from message_metrics
inner join conversations using (conversation_id)
where instr(json_extract(message_metrics.metrics_json, '$.message'), 'of the') > 0
group by 1
order by 1
