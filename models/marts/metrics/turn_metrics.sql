{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_turns'},
    )
}}

with

turns as (

    select * from {{ ref('int_turns') }}

),

message_tokens as not materialized (

    select * from {{ ref('int_message_tokens') }}

),

message_metrics as not materialized (

    select * from {{ ref('message_metrics') }}

),

convergence_components as (

    select * from {{ ref('int_convergence_components') }}

),

phrase_repetition as (

    select * from {{ ref('int_phrase_repetition') }}

),

convergence_profiles as (

    select * from {{ ref('convergence_profiles') }}

),

changed_turns as (

    select turns.*

    from turns
    {{ only_changed('turns', ref('int_turns')) }}

),

-- A complete turn has tokens of both messages, NULL where a message is no speech. Joined on
-- the fingerprint too, so that tokens of an older state are never taken.
turn_tokens as (

    select
        changed_turns.*,
        agent_a.token_text as a_token_text,
        agent_b.token_text as b_token_text

    from changed_turns

    inner join message_tokens as agent_a
        on
            changed_turns.conversation_id = agent_a.conversation_id
            and changed_turns.turn_number = agent_a.turn_number
            and changed_turns.fingerprint = agent_a.fingerprint
            and agent_a.agent_id = 'agent_a'

    inner join message_tokens as agent_b
        on
            changed_turns.conversation_id = agent_b.conversation_id
            and changed_turns.turn_number = agent_b.turn_number
            and changed_turns.fingerprint = agent_b.fingerprint
            and agent_b.agent_id = 'agent_b'

),

message_pairs as (

    select
        agent_a.conversation_id,
        agent_a.turn_number,
        agent_a.fingerprint,
        agent_a.message_length as a_length,
        agent_b.message_length as b_length,
        agent_a.sentence_count as a_sentences,
        agent_b.sentence_count as b_sentences,
        list_histogram(agent_a.sentence_lengths) as a_sentence_lengths,
        list_histogram(agent_b.sentence_lengths) as b_sentence_lengths,
        agent_a.spaced_words_per_sentence as a_sentence_length,
        agent_b.spaced_words_per_sentence as b_sentence_length,
        agent_a.formality_score as a_formality,
        agent_b.formality_score as b_formality,
        agent_a.word_count as a_word_count,
        agent_b.word_count as b_word_count

    from message_metrics as agent_a

    inner join message_metrics as agent_b
        on
            agent_a.conversation_id = agent_b.conversation_id
            and agent_a.turn_number = agent_b.turn_number
            and agent_a.fingerprint = agent_b.fingerprint

    semi join changed_turns
        on
            agent_a.conversation_id = changed_turns.conversation_id
            and agent_a.fingerprint = changed_turns.fingerprint

    where
        agent_a.agent_id = 'agent_a'
        and agent_b.agent_id = 'agent_b'

),

measured_turns as (

    select
        message_pairs.*,
        convergence_components.content_similarity,
        convergence_components.length_similarity,
        convergence_components.sentence_similarity,
        convergence_components.structure_similarity,
        convergence_components.punctuation_similarity,
        phrase_repetition.phrases,
        phrase_repetition.repeated_phrases,
        phrase_repetition.turn_phrases,
        phrase_repetition.returning_phrases,
        phrase_repetition.nearest_turn_phrases,
        phrase_repetition.nearest_turn_distance

    from message_pairs

    inner join convergence_components
        on
            message_pairs.conversation_id = convergence_components.conversation_id
            and message_pairs.turn_number = convergence_components.turn_number
            and message_pairs.fingerprint = convergence_components.fingerprint

    inner join phrase_repetition
        on
            message_pairs.conversation_id = phrase_repetition.conversation_id
            and message_pairs.turn_number = phrase_repetition.turn_number
            and message_pairs.fingerprint = phrase_repetition.fingerprint

),

-- Only conversations in which the metrics of both messages, the phrases and the components
-- of all turns are of the same state; after a partial build they may not be.
whole_conversations as (

    select turn_tokens.conversation_id

    from turn_tokens

    left join measured_turns
        on
            turn_tokens.conversation_id = measured_turns.conversation_id
            and turn_tokens.turn_number = measured_turns.turn_number
            and turn_tokens.fingerprint = measured_turns.fingerprint

    group by turn_tokens.conversation_id

    having bool_and(not turn_tokens.is_spoken or measured_turns.turn_number is not null)

),

-- The vocabularies of a conversation so far: each agent's grows by its new words, and the
-- common one when the second of the two first uses a word.
turn_vocabularies as (

    select
        message_metrics.conversation_id,
        message_metrics.turn_number,
        sum(message_metrics.new_words) filter (where message_metrics.agent_id = 'agent_a')
            as a_new_words,
        sum(message_metrics.new_words) filter (where message_metrics.agent_id = 'agent_b')
            as b_new_words,
        sum(message_metrics.newly_shared_words) as newly_shared_words

    from message_metrics

    semi join changed_turns
        on
            message_metrics.conversation_id = changed_turns.conversation_id
            and message_metrics.fingerprint = changed_turns.fingerprint

    group by message_metrics.conversation_id, message_metrics.turn_number

),

cumulative_vocabularies as (

    select
        conversation_id,
        turn_number,
        coalesce(sum(a_new_words) over so_far, 0) as a_words_so_far,
        coalesce(sum(b_new_words) over so_far, 0) as b_words_so_far,
        sum(newly_shared_words) over so_far as shared_words_so_far

    from turn_vocabularies

    window so_far as (
        partition by conversation_id
        order by turn_number
    )

),

weights as (

    select
        profile,
        cast(max(weight) filter (where component = 'content') as double) as content,
        cast(max(weight) filter (where component = 'length') as double) as length,
        cast(max(weight) filter (where component = 'sentences') as double) as sentences,
        cast(max(weight) filter (where component = 'structure') as double) as structure,
        cast(max(weight) filter (where component = 'punctuation') as double) as punctuation

    from convergence_profiles

    group by profile

),

profile_scores as (

    select
        measured_turns.conversation_id,
        measured_turns.turn_number,
        weights.profile,
        -- Rounded as Python rounds, the exact binary value to the nearest hundredth.
        cast(
            format(
                '{:.2f}',
                if(
                    measured_turns.content_similarity > 0.9,
                    measured_turns.content_similarity * 0.7
                    + measured_turns.content_similarity * 0.3,
                    measured_turns.content_similarity * weights.content
                    + measured_turns.length_similarity * weights.length
                    + measured_turns.sentence_similarity * weights.sentences
                    + measured_turns.structure_similarity * weights.structure
                    + measured_turns.punctuation_similarity * weights.punctuation
                )
            ) as double
        ) as score

    from measured_turns

    cross join weights

),

scores as (

    select
        conversation_id,
        turn_number,
        max(score) filter (where profile = 'balanced') as convergence_balanced,
        max(score) filter (where profile = 'structural') as convergence_structural,
        max(score) filter (where profile = 'semantic') as convergence_semantic,
        max(score) filter (where profile = 'strict') as convergence_strict

    from profile_scores

    group by conversation_id, turn_number

),

-- All that a turn is made of, before lists of its words are: a join would carry them along.
described_turns as (

    select
        turn_tokens.*,
        measured_turns.* exclude (conversation_id, turn_number, fingerprint),  -- noqa: RF02
        cumulative_vocabularies.* exclude (conversation_id, turn_number),  -- noqa: RF02
        scores.* exclude (conversation_id, turn_number)  -- noqa: RF02

    from turn_tokens

    semi join whole_conversations
        on turn_tokens.conversation_id = whole_conversations.conversation_id

    left join measured_turns
        on
            turn_tokens.conversation_id = measured_turns.conversation_id
            and turn_tokens.turn_number = measured_turns.turn_number

    left join cumulative_vocabularies
        on
            turn_tokens.conversation_id = cumulative_vocabularies.conversation_id
            and turn_tokens.turn_number = cumulative_vocabularies.turn_number

    left join scores
        on
            turn_tokens.conversation_id = scores.conversation_id
            and turn_tokens.turn_number = scores.turn_number

),

listed_tokens as (

    select
        * exclude (a_token_text, b_token_text),
        {{ token_list('a_token_text') }} as a_tokens,
        {{ token_list('b_token_text') }} as b_tokens

    from described_turns

),

turn_frequencies as (

    select
        *,
        {{ word_frequencies('a_tokens') }} as a_frequencies,
        {{ word_frequencies('b_tokens') }} as b_frequencies,
        if(is_spoken, {{ word_frequencies('list_concat(a_tokens, b_tokens)') }}, null)
            as both_frequencies

    from listed_tokens

),

-- Words as hashes where both agents spoke: numbers are cheaper to compare than text.
hashed_turns as (

    select
        *,
        {{ numbered_repetitions('a_frequencies') }} as a_repetitions,
        {{ numbered_repetitions('b_frequencies') }} as b_repetitions,
        if(is_spoken, {{ token_hashes('a_tokens') }}, null) as a_hashes,
        if(is_spoken, {{ token_hashes('b_tokens') }}, null) as b_hashes,
        if(is_spoken, least(6, len(a_tokens), len(b_tokens)), null) as longest_phrase

    from turn_frequencies

),

-- A word that occurs several times in both messages is shared as often as in the one that
-- has it less often.
phrase_counts_1 as (

    select
        * exclude (a_repetitions, b_repetitions),
        cardinality(a_frequencies) + cardinality(b_frequencies) - cardinality(both_frequencies)
        + {{ shared_elements('a_repetitions', 'b_repetitions') }} as shared_1

    from hashed_turns

),

-- Longer phrases are looked at only where shorter ones are shared.
{% for n in range(2, 7) -%}
    phrases_{{ n }} as (

        select
            *,
            if(shared_{{ n - 1 }} = 0, [], {{ ngrams('a_hashes', n) }}) as a_phrases,
            if(shared_{{ n - 1 }} = 0, [], {{ ngrams('b_hashes', n) }}) as b_phrases

        from phrase_counts_{{ n - 1 }}

    ),

    phrase_counts_{{ n }} as (

        select
            * exclude (a_phrases, b_phrases),
            list_unique(a_phrases) as a_{{ n }},
            list_unique(b_phrases) as b_{{ n }},
            {{ shared_elements('a_phrases', 'b_phrases') }} as shared_{{ n }}

        from phrases_{{ n }}

    ){{ ',' if not loop.last }}

{% endfor -%}
select
    conversation_id,
    experiment_id,
    turn_number,
    is_spoken,
    completed_at as timestamp,

    -- the live score, as recorded and recomputed
    convergence_score,
    legacy_convergence_score,
    convergence_balanced,
    convergence_structural,
    convergence_semantic,
    convergence_strict,

    -- words
    {{ jaccard_of_counts(
        'cardinality(a_frequencies)', 'cardinality(b_frequencies)', 'cardinality(both_frequencies)'
    ) }} as vocabulary_overlap,
    if(
        is_spoken,
        {{ jaccard_of_counts(
            'a_words_so_far', 'b_words_so_far',
            '(a_words_so_far + b_words_so_far - shared_words_so_far)'
        ) }},
        null
    ) as cumulative_convergence,
    2 * shared_1 / greatest(len(a_tokens) + len(b_tokens), 1) as phrase_alignment,
    {{ mimicry_score('a', 'longest_phrase') }} as mimicry_score_a_to_b,
    {{ mimicry_score('b', 'longest_phrase') }} as mimicry_score_b_to_a,
    repeated_phrases / greatest(phrases, 1) as repetition_ratio,
    turn_phrases as phrase_count,
    returning_phrases / nullif(turn_phrases, 0) as returning_phrase_share,
    nearest_turn_phrases / nullif(turn_phrases, 0) as nearest_turn_similarity,
    nearest_turn_distance,

    -- form
    if(
        a_length = 0 and b_length = 0,
        1,
        least(a_length, b_length) / greatest(a_length, b_length, 1)
    ) as length_convergence,
    0.5 * (1 - abs(a_sentences - b_sentences) / greatest(a_sentences, b_sentences, 1))
    + 0.5 * (
        1 - abs(a_sentence_length - b_sentence_length)
        / greatest(a_sentence_length, b_sentence_length, 1)
    ) as structural_similarity,
    case
        when a_sentences = 0 and b_sentences = 0 then 1
        when a_sentences = 0 or b_sentences = 0 then 0
        else {{ cosine_of_histograms('a_sentence_lengths', 'b_sentence_lengths') }}
    end as sentence_pattern_similarity,
    if(
        a_word_count = 0 or b_word_count = 0,
        null,
        1 - abs(a_formality - b_formality)
    ) as formality_convergence,
    punctuation_similarity,
    2 * least(a_word_count, b_word_count)
    / nullif(a_word_count + b_word_count, 0) as turn_taking_balance,

    if(
        is_spoken,
        struct_pack(
            vocabulary_size := cast(cardinality(both_frequencies) as integer),
            unique_words := cast(cardinality(both_frequencies) as integer),
            type_token_ratio
            := cardinality(both_frequencies) / greatest(len(a_tokens) + len(b_tokens), 1)
        ),
        null
    ) as lexical_metrics,
    both_frequencies as word_frequencies,
    a_frequencies as agent_a_word_frequencies,
    b_frequencies as agent_b_word_frequencies,
    if(
        is_spoken,
        json_object(
            'content_similarity', content_similarity,
            'length_similarity', length_similarity,
            'sentence_similarity', sentence_similarity,
            'structure_similarity', structure_similarity,
            'punctuation_similarity', punctuation_similarity
        ),
        null
    ) as extended_metrics,
    fingerprint

from phrase_counts_6
