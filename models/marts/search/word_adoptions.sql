{{ config(materialized = 'view') }}

with

word_use as (

    select * from {{ ref('word_use') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

-- In a turn, agent B answers A.
word_pairs as (

    select
        agent_a.conversation_id,
        agent_a.experiment_id,
        agent_a.word,
        agent_a.is_stop_word,
        agent_a.first_turn <= agent_b.first_turn as is_from_a,
        agent_a.first_turn as a_first_turn,
        agent_b.first_turn as b_first_turn,
        agent_a.uses as a_uses,
        agent_b.uses as b_uses

    from word_use as agent_a

    inner join word_use as agent_b
        on
            agent_a.conversation_id = agent_b.conversation_id
            and agent_a.word = agent_b.word

    where
        agent_a.agent_id = 'agent_a'
        and agent_b.agent_id = 'agent_b'

)

select
    word_pairs.conversation_id,
    word_pairs.experiment_id,
    word_pairs.word,
    word_pairs.is_stop_word,
    if(word_pairs.is_from_a, 'agent_a', 'agent_b') as origin_agent_id,
    if(word_pairs.is_from_a, conversations.agent_a_model, conversations.agent_b_model)
        as origin_model,
    if(word_pairs.is_from_a, 'agent_b', 'agent_a') as adopter_agent_id,
    if(word_pairs.is_from_a, conversations.agent_b_model, conversations.agent_a_model)
        as adopter_model,
    least(word_pairs.a_first_turn, word_pairs.b_first_turn) as origin_turn,
    greatest(word_pairs.a_first_turn, word_pairs.b_first_turn) as adopted_turn,
    if(word_pairs.is_from_a, word_pairs.a_uses, word_pairs.b_uses) as origin_uses,
    if(word_pairs.is_from_a, word_pairs.b_uses, word_pairs.a_uses) as adopter_uses

from word_pairs

inner join conversations
    on word_pairs.conversation_id = conversations.conversation_id
