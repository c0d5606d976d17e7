-- How many messages of each model hold a phrase, and how long are these?
select
    if(
        messages.agent_id = 'agent_a',
        conversations.agent_a_model, conversations.agent_b_model
    ) as model,
    count(*) as messages,
    avg(message_metrics.word_count) as mean_words
from messages
inner join message_metrics using (conversation_id, turn_number, agent_id)
inner join conversations using (conversation_id)
where contains(messages.content, 'of the')
group by all
order by 1
