{{ config(alias = 'vocabulary_analysis') }}

with

turns as (

    select * from {{ ref('analysis_turns') }}

)

select
    conversation_id,
    turn_number,
    a_vocabulary_size as vocab_size_a,
    b_vocabulary_size as vocab_size_b,
    a_vocabulary_size + b_vocabulary_size as total_vocab_size

from turns
