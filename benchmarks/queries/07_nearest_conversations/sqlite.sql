-- Which ten conversations share most of their vocabulary with the first one?
with

words as (

    select distinct
        conversation_id,
        word

    from word_frequencies

),

first_words as materialized (

    select word

    from words

    where conversation_id = (select min(conversation_id) from turn_metrics)

),

shared_words as (

    select
        words.conversation_id,
        count(*) as words,
        count(first_words.word) as shared

    from words

    left join first_words on words.word = first_words.word

    group by words.conversation_id

),

similarities as (

    select
        conversation_id,
        shared,
        1.0 * shared / (words + (select count(*) from first_words) - shared) as similarity

    from shared_words

)

select *
from similarities
order by round(similarity, 12) desc, conversation_id
limit 10
