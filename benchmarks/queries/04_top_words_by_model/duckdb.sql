-- Which twenty words does each model use most?
with

spoken as (

    select
        conversations.agent_a_model as model,
        turn_metrics.agent_a_word_frequencies as frequencies

    from turn_metrics

    inner join conversations using (conversation_id)

    union all

    select
        conversations.agent_b_model as model,
        turn_metrics.agent_b_word_frequencies as frequencies

    from turn_metrics

    inner join conversations using (conversation_id)

),

words as (

    select
        model,
        unnest(map_keys(frequencies)) as word,
        unnest(map_values(frequencies)) as frequency

    from spoken

),

totals as (

    select
        model,
        word,
        cast(sum(frequency) as bigint) as uses

    from words

    group by all

)

select *
from totals
qualify row_number() over (partition by model order by uses desc, word asc) <= 20
order by model, uses desc, word
