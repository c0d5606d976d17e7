-- How many words does agent B take over from agent A, in a later turn, by model of B?
with

first_uses as (

    select
        conversation_id,
        word,
        min(turn_number) filter (where agent_id = 'agent_a') as by_a,
        min(turn_number) filter (where agent_id = 'agent_b') as by_b

    from word_frequencies

    group by conversation_id, word

)

select
    conversations.agent_b_model,
    count(*) as adopted,
    avg(first_uses.by_b - first_uses.by_a) as turns_until
from first_uses
inner join conversations using (conversation_id)
where first_uses.by_a < first_uses.by_b
group by 1
order by 1
