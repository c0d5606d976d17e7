-- How much of a conversation's vocabulary do both agents use?
with

vocabularies as (

    select
        conversation_id,
        list_distinct(flatten(list(map_keys(agent_a_word_frequencies)))) as words_a,
        list_distinct(flatten(list(map_keys(agent_b_word_frequencies)))) as words_b

    from turn_metrics

    group by conversation_id

),

counts as (

    select
        conversation_id,
        len(list_intersect(words_a, words_b)) as shared,
        len(words_a) + len(words_b) as summed

    from vocabularies

)

select
    conversation_id,
    summed - shared as words,
    shared,
    shared / (summed - shared) as share
from counts
order by conversation_id
