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

message_words as (

    select * from {{ ref('int_message_words') }}

),

convergence_scores as (

    select * from {{ ref('int_convergence_scores') }}

),

phrase_repetition as (

    select * from {{ ref('int_phrase_repetition') }}

),

turn_alignment as (

    select * from {{ ref('int_turn_alignment') }}

),

changed_turns as (

    select turns.*

    from turns
    {{ only_changed('turns', ref('int_turns')) }}

),

-- Turns in which both agents spoke, with steps of the same state; an older one is never taken.
measured_turns as (

    select
        changed_turns.conversation_id,
        changed_turns.turn_number,
        {% for agent in ['a', 'b'] -%}
            agent_{{ agent }}.message_length as {{ agent }}_length,
            agent_{{ agent }}.sentence_count as {{ agent }}_sentences,
            list_histogram(agent_{{ agent }}.sentence_lengths) as {{ agent }}_sentence_lengths,
            agent_{{ agent }}.spaced_words_per_sentence as {{ agent }}_sentence_length,
            agent_{{ agent }}.formality_score as {{ agent }}_formality,
            agent_{{ agent }}.word_count as {{ agent }}_word_count,
        {% endfor -%}
        -- Agent B answers A, so its message is the last of the turn.
        words.a_words_so_far,
        words.b_words_so_far,
        words.shared_words_so_far,
        scores.* exclude (conversation_id, turn_number, fingerprint),  -- noqa: RF02
        repetition.* exclude (conversation_id, turn_number, fingerprint),  -- noqa: RF02
        alignment.* exclude (conversation_id, turn_number, fingerprint)  -- noqa: RF02

    from changed_turns

    {% for name, step in {
        'agent_a': 'message_metrics', 'agent_b': 'message_metrics', 'words': 'message_words',
        'scores': 'convergence_scores', 'repetition': 'phrase_repetition',
        'alignment': 'turn_alignment',
    }.items() -%}
        inner join {{ step }} as {{ name }}
            on
                changed_turns.conversation_id = {{ name }}.conversation_id
                and changed_turns.turn_number = {{ name }}.turn_number
                and changed_turns.fingerprint = {{ name }}.fingerprint
    {% endfor %}

    where
        agent_a.agent_id = 'agent_a'
        and agent_b.agent_id = 'agent_b'
        and words.agent_id = 'agent_b'

),

-- After a partial build, a step may be of another state in some turns; then all turns wait.
whole_conversations as (

    select changed_turns.conversation_id

    from changed_turns

    left join measured_turns
        on
            changed_turns.conversation_id = measured_turns.conversation_id
            and changed_turns.turn_number = measured_turns.turn_number

    group by changed_turns.conversation_id

    having bool_and(not changed_turns.is_spoken or measured_turns.turn_number is not null)

),

-- A complete turn has tokens of both messages, NULL where a message is no speech.
described_turns as (

    select
        changed_turns.*,
        measured_turns.* exclude (conversation_id, turn_number),  -- noqa: RF02
        {{ token_list('agent_a.token_text') }} as a_tokens,
        {{ token_list('agent_b.token_text') }} as b_tokens

    from changed_turns

    semi join whole_conversations
        on changed_turns.conversation_id = whole_conversations.conversation_id

    {% for agent in ['agent_a', 'agent_b'] -%}
        inner join message_tokens as {{ agent }}
            on
                changed_turns.conversation_id = {{ agent }}.conversation_id
                and changed_turns.turn_number = {{ agent }}.turn_number
                and changed_turns.fingerprint = {{ agent }}.fingerprint
                and {{ agent }}.agent_id = '{{ agent }}'

    {% endfor -%}
    left join measured_turns
        on
            changed_turns.conversation_id = measured_turns.conversation_id
            and changed_turns.turn_number = measured_turns.turn_number

),

turn_frequencies as (

    select
        *,
        {{ word_frequencies('a_tokens') }} as a_frequencies,
        {{ word_frequencies('b_tokens') }} as b_frequencies,
        if(is_spoken, {{ word_frequencies('list_concat(a_tokens, b_tokens)') }}, null)
            as both_frequencies

    from described_turns

)

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
    {{ jaccard_of_counts(
        'a_words_so_far', 'b_words_so_far',
        '(a_words_so_far + b_words_so_far - shared_words_so_far)'
    ) }} as cumulative_convergence,
    phrase_alignment,
    mimicry_score_a_to_b,
    mimicry_score_b_to_a,
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
    if(0 in (a_word_count, b_word_count), null, 1 - abs(a_formality - b_formality))
        as formality_convergence,
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

from turn_frequencies
