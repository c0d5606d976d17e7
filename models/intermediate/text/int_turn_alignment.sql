{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_message_tokens'},
        contract = {'enforced': true},
    )
}}

with

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

word_sequences as (

    select * from {{ ref('int_word_sequences') }}

),

changed_messages as (

    select message_tokens.*

    from message_tokens
    {{ only_changed('message_tokens', ref('int_message_tokens')) }}

),

messages as (

    select
        changed_messages.conversation_id,
        changed_messages.turn_number,
        changed_messages.agent_id,
        {{ token_hashes(token_list('changed_messages.token_text')) }} as words,
        word_sequences.vocabulary_size,
        word_sequences.bigram_count,
        word_sequences.trigram_count,
        changed_messages.fingerprint

    from changed_messages

    inner join word_sequences
        on
            changed_messages.conversation_id = word_sequences.conversation_id
            and changed_messages.turn_number = word_sequences.turn_number
            and changed_messages.agent_id = word_sequences.agent_id
            and changed_messages.fingerprint = word_sequences.fingerprint

),

-- Turns in which both agents spoke.
turns as (

    select
        agent_a.conversation_id,
        agent_a.turn_number,
        agent_a.words as a_words,
        agent_b.words as b_words,
        agent_a.vocabulary_size as a_vocabulary_size,
        agent_b.vocabulary_size as b_vocabulary_size,
        agent_a.bigram_count as a_2,
        agent_b.bigram_count as b_2,
        agent_a.trigram_count as a_3,
        agent_b.trigram_count as b_3,
        agent_a.fingerprint

    from messages as agent_a

    inner join messages as agent_b
        on
            agent_a.conversation_id = agent_b.conversation_id
            and agent_a.turn_number = agent_b.turn_number

    where
        agent_a.agent_id = 'agent_a'
        and agent_b.agent_id = 'agent_b'

),

-- The permutation baseline: in each half of a conversation, every message of A is also compared
-- with the message of B half of that half away. Topic and manner are kept, but the messages do
-- not answer each other.
places as (

    select
        conversation_id,
        turn_number,
        row_number() over conversation as place,
        count(*) over (partition by conversation_id) as places

    from turns

    window conversation as (partition by conversation_id order by turn_number)

),

-- A half of one turn has no other partner; in one of two, A's second message would meet the message
-- of B that it answers.
halves as (

    select
        conversation_id,
        turn_number,
        if(2 * place <= places, 1, 2) as half,
        if(2 * place <= places, place, place - places // 2) - 1 as place_in_half,
        if(2 * place <= places, places // 2, places - places // 2) as half_length,
        if(half_length > 2, (place_in_half + half_length // 2) % half_length, null)
            as shuffled_place

    from places

),

shuffled_turns as (

    select
        own_turn.conversation_id,
        own_turn.turn_number,
        own_turn.half,
        other_turn.turn_number as other_turn_number

    from halves as own_turn

    left join halves as other_turn
        on
            own_turn.conversation_id = other_turn.conversation_id
            and own_turn.half = other_turn.half
            and own_turn.shuffled_place = other_turn.place_in_half

),

compared_turns as (

    select
        turns.*,
        shuffled_turns.half,
        other_turns.b_words as other_words,
        other_turns.b_vocabulary_size as other_vocabulary_size

    from turns

    inner join shuffled_turns
        on
            turns.conversation_id = shuffled_turns.conversation_id
            and turns.turn_number = shuffled_turns.turn_number

    left join turns as other_turns
        on
            shuffled_turns.conversation_id = other_turns.conversation_id
            and shuffled_turns.other_turn_number = other_turns.turn_number

),

shared_words as (

    select
        * exclude (other_words),
        list_intersect(a_words, b_words) as shared_words,
        {{ jaccard_of_overlap(
            'a_vocabulary_size', 'other_vocabulary_size', 'len(list_intersect(a_words, other_words))'
        ) }} as shuffled_overlap,
        least(6, len(a_words), len(b_words)) as longest_phrase

    from compared_turns

),

-- Only shared words make shared phrases.
shared_places as (

    select
        *,
        {{ places_of_words('a_words', 'shared_words') }} as a_places,
        {{ places_of_words('b_words', 'shared_words') }} as b_places

    from shared_words

),

-- A word that occurs several times in both messages is shared as often as in the one that has it
-- less often.
phrase_counts_1 as (

    select
        *,
        len(shared_words) + if(
            len(shared_words) = 0,
            0,
            {{ shared_elements(
                numbered_repetitions('a_words', 'a_places'),
                numbered_repetitions('b_words', 'b_places')
            ) }}
        ) as shared_1

    from shared_places

),

-- Longer phrases are looked at only where shorter ones are shared.
{% for n in range(2, 7) -%}
    phrases_{{ n }} as (

        select
            *,
            if(shared_{{ n - 1 }} = 0, [], {{ ngrams_at('a_words', 'a_places', n) }}) as a_phrases,
            if(shared_{{ n - 1 }} = 0, [], {{ ngrams_at('b_words', 'b_places', n) }}) as b_phrases

        from phrase_counts_{{ n - 1 }}

    ),

    phrase_counts_{{ n }} as (

        select
            * exclude (a_phrases, b_phrases),
            {% if n > 3 -%}
                if(shared_{{ n - 1 }} = 0, 0, list_unique({{ ngrams('a_words', n) }})) as a_{{ n }},
                if(shared_{{ n - 1 }} = 0, 0, list_unique({{ ngrams('b_words', n) }})) as b_{{ n }},
            {% endif -%}
            {{ shared_elements('a_phrases', 'b_phrases') }} as shared_{{ n }}

        from phrases_{{ n }}

    ){{ ',' if not loop.last }}

{% endfor -%}
select
    conversation_id,
    turn_number,
    2 * shared_1 / greatest(len(a_words) + len(b_words), 1) as phrase_alignment,
    {{ mimicry_score('a', 'longest_phrase') }} as mimicry_score_a_to_b,
    {{ mimicry_score('b', 'longest_phrase') }} as mimicry_score_b_to_a,
    cast(half as integer) as half,
    shuffled_overlap,
    fingerprint

from phrase_counts_6
