{{ config(materialized = 'view') }}

with

postings as (

    select * from {{ ref('int_word_postings') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

stop_words as (

    select * from {{ ref('stop_words') }}

)

select
    postings.conversation_id,
    conversations.experiment_id,
    postings.agent_id,
    postings.word,
    stop_words.word is not null as is_stop_word,
    postings.turns[1] as first_turn,
    cast(coalesce(list_sum(postings.uses), len(postings.turns)) as integer) as uses,
    cast(len(postings.turns) as integer) as turns

from postings

inner join conversations
    on postings.conversation_id = conversations.conversation_id

left join stop_words
    on postings.word = stop_words.word

where
    postings.text_kind = 'message'
    and postings.word != ''
