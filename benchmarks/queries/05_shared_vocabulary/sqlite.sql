-- How much of a conversation's vocabulary do both agents use?
with

vocabulary as (

    select
        conversation_id,
        word,
        count(distinct agent_id) as agents

    from word_frequencies

    group by conversation_id, word

)

select
    conversation_id,
    count(*) as words,
    sum(agents = 2) as shared,
    1.0 * sum(agents = 2) / count(*) as share
from vocabulary
group by conversation_id
order by conversation_id
