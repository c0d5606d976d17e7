-- Which twenty words does each model use most?
with

totals as (

    select
        case word_frequencies.agent_id
            when 'agent_a' then conversations.agent_a_model
            else conversations.agent_b_model
        end as model,
        word_frequencies.word,
        sum(word_frequencies.frequency) as uses

    from word_frequencies

    inner join conversations using (conversation_id)

    group by 1, 2

),

ranked as (

    select
        *,
        row_number() over (partition by model order by uses desc, word asc) as place

    from totals

)

select
    model,
    word,
    uses
from ranked
where place <= 20
order by model, uses desc, word
