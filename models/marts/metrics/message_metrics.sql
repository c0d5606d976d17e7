{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'messages'},
    )
}}

with

messages as (

    select * from {{ ref('messages') }}

),

form as (

    select * from {{ ref('int_message_form') }}

),

words as (

    select * from {{ ref('int_message_words') }}

),

kinds as (

    select * from {{ ref('int_word_kinds') }}

),

sequences as (

    select * from {{ ref('int_word_sequences') }}

),

changed_messages as (

    select messages.*

    from messages
    {{ only_changed('messages', ref('messages')) }}

),

-- Joined on the fingerprint too: after a partial build there may be steps of another state.
measured_messages as (

    select
        changed_messages.experiment_id,
        changed_messages.content,
        form.*,
        words.* exclude (conversation_id, turn_number, agent_id, fingerprint),  -- noqa: RF02
        kinds.* exclude (conversation_id, turn_number, agent_id, fingerprint),  -- noqa: RF02
        sequences.* exclude (conversation_id, turn_number, agent_id, fingerprint)  -- noqa: RF02

    from changed_messages

    inner join form
        on
            changed_messages.conversation_id = form.conversation_id
            and changed_messages.turn_number = form.turn_number
            and changed_messages.agent_id = form.agent_id
            and changed_messages.fingerprint = form.fingerprint

    inner join words
        on
            changed_messages.conversation_id = words.conversation_id
            and changed_messages.turn_number = words.turn_number
            and changed_messages.agent_id = words.agent_id
            and changed_messages.fingerprint = words.fingerprint

    inner join kinds
        on
            changed_messages.conversation_id = kinds.conversation_id
            and changed_messages.turn_number = kinds.turn_number
            and changed_messages.agent_id = kinds.agent_id
            and changed_messages.fingerprint = kinds.fingerprint

    inner join sequences
        on
            changed_messages.conversation_id = sequences.conversation_id
            and changed_messages.turn_number = sequences.turn_number
            and changed_messages.agent_id = sequences.agent_id
            and changed_messages.fingerprint = sequences.fingerprint

)

select
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,

    -- size
    message_length,
    word_count,
    vocabulary_size,
    sentence_count,
    paragraph_count,
    word_count / greatest(sentence_count, 1) as avg_sentence_length,
    coalesce(list_sum(sentence_lengths), 0) / greatest(sentence_count, 1)
        as spaced_words_per_sentence,
    sentence_lengths,
    statement_count,

    -- diversity and repetition
    vocabulary_size / greatest(word_count, 1) as type_token_ratio,
    hapax_count / greatest(vocabulary_size, 1) as hapax_ratio,
    if(
        word_count < 3,
        0,
        (bigram_count + trigram_count) / greatest(2 * word_count - 3, 1)
    ) as lexical_diversity_index,
    mattr,
    recent_mattr,
    mtld,
    hd_d,
    repeated_bigrams,
    repeated_trigrams,
    adjacent_repetitions / greatest(word_count - 1, 1) as self_repetition,
    if(
        earlier_messages = 0,
        0,
        -- Shares are rounded to 17 places, so their sum may pass the 1 that it cannot pass.
        least(repeated_shares / earlier_messages, 1)
    ) as turn_repetition,
    similarity_to_last,
    similarity_to_last_but_one,
    similarity_to_partner,
    new_words,
    newly_shared_words,

    -- information
    word_entropy,
    bigram_entropy,
    character_entropy,
    compression_ratio,

    -- symbols
    symbol_density,
    symbol_share,
    emoji_count,
    pictograph_count,
    arrow_count,
    math_symbol_count,
    punctuation_diversity,
    special_char_count,
    number_count,
    novel_symbols,
    symbol_line_share,
    direction_words,

    -- markers
    question_count,
    question_density,
    exclamation_count,
    {% for column in marker_columns().values() -%}
        {{ column }},
    {% endfor -%}
    closing_statements,
    ending_statements,
    appreciation_statements,
    transcendence_statements,
    building_statements,
    hedge_words / greatest(word_count, 1) as hedge_density,
    proper_noun_count,
    passive_count as passive_voice,

    -- style
    if(
        word_count = 0,
        0.5,
        greatest(
            0,
            least(
                1,
                0.5
                - apostrophe_count / greatest(word_count, 1) * 0.3
                - exclamation_count / greatest(word_count, 1) * 0.2
                - double_question_count / greatest(word_count, 1) * 0.1
                + long_word_count / greatest(word_count, 1) * 0.3
            )
        )
    ) as formality_score,
    if(
        word_count = 0,
        null,
        206.835
        - 1.015 * word_count / greatest(sentence_count, 1)
        - 84.6 * syllables / greatest(word_count, 1)
    ) as flesch_reading_ease,

    fingerprint

from measured_messages
