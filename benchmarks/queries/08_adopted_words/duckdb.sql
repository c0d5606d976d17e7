-- How many words does agent B take over from agent A, in a later turn, by model of B?
with

uses as (

    select
        conversation_id,
        turn_number,
        true as is_agent_a,
        unnest(map_keys(agent_a_word_frequencies)) as word

    from turn_metrics

    union all

    select
        conversation_id,
        turn_number,
        false as is_agent_a,
        unnest(map_keys(agent_b_word_frequencies)) as word

    from turn_metrics

),

first_uses as (

    select
        conversation_id,
        word,
        min(turn_number) filter (where is_agent_a) as by_a,
        min(turn_number) filter (where not is_agent_a) as by_b

    from uses

    group by all

)

select
    conversations.agent_b_model,
    count(*) as adopted,
    avg(first_uses.by_b - first_uses.by_a) as turns_until
from first_uses
inner join conversations using (conversation_id)
where first_uses.by_a < first_uses.by_b
group by all
order by 1
