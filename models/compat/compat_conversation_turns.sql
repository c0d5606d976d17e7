{#- Pidgin's columns of one message, in its order: each with the metric of message_metrics that it
    is, or the type of a column that nothing sound can fill. -#}
{%- set message_columns = [
    ('message_length', 'message_length'), ('character_count', 'message_length'),
    ('word_count', 'word_count'), ('sentence_count', 'sentence_count'),
    ('paragraph_count', 'paragraph_count'), ('avg_sentence_length', 'avg_sentence_length'),
    ('vocabulary_size', 'vocabulary_size'), ('unique_words', 'vocabulary_size'),
    ('ttr', 'type_token_ratio'), ('hapax_ratio', 'hapax_ratio'),
    ('ldi', 'lexical_diversity_index'), ('repeated_bigrams', 'repeated_bigrams'),
    ('repeated_trigrams', 'repeated_trigrams'), ('self_repetition', 'self_repetition'),
    ('word_entropy', 'word_entropy'), ('character_entropy', 'character_entropy'),
    ('bigram_entropy', 'bigram_entropy'), ('compression_ratio', 'compression_ratio'),
    ('symbol_density', 'symbol_density'), ('emoji_count', 'emoji_count'),
    ('arrow_count', 'arrow_count'), ('math_symbol_count', 'math_symbol_count'),
    ('punctuation_diversity', 'punctuation_diversity'),
    ('special_char_count', 'special_char_count'), ('number_count', 'number_count'),
    ('proper_noun_count', 'proper_noun_count'), ('question_count', 'question_count'),
    ('exclamation_count', 'exclamation_count'), ('question_density', 'question_density'),
    ('hedge_density', 'hedge_density'), ('hedge_words', 'hedge_words'),
    ('agreement_markers', 'agreement_markers'), ('disagreement_markers', 'disagreement_markers'),
    ('politeness_markers', 'politeness_markers'), ('certainty_words', 'certainty_words'),
    ('tentative_words', 'tentative_words'), ('formality_score', 'formality_score'),
    ('emotional_intensity', 'double'), ('first_person_singular', 'first_person_singular'),
    ('first_person_plural', 'first_person_plural'), ('second_person', 'second_person'),
    ('third_person', 'third_person'), ('passive_voice', 'passive_voice'),
    ('active_voice', 'integer'), ('syntactic_complexity', 'double'),
    ('semantic_density', 'double'), ('coherence_score', 'double'),
    ('readability_score', 'flesch_reading_ease'), ('cognitive_load', 'double'),
    ('information_density', 'double'), ('discourse_markers', 'discourse_markers'),
    ('gratitude_markers', 'gratitude_markers'), ('existential_language', 'existential_language'),
    ('compression_indicators', 'integer'), ('novel_symbols', 'novel_symbols'),
    ('meta_commentary', 'meta_commentary'), ('turn_repetition', 'turn_repetition'),
    ('new_words', 'new_words'),
] -%}
{{ config(alias = 'conversation_turns') }}

with

turns as (

    select * from {{ ref('analysis_turns') }}

),

conversations as (

    select * from {{ ref('conversations') }}

)

select
    turns.experiment_id,
    turns.conversation_id,
    turns.turn_number,
    turns.timestamp at time zone 'UTC' as timestamp,

    -- who spoke, and under which conditions
    conversations.agent_a_model_logged as agent_a_model,
    conversations.agent_b_model_logged as agent_b_model,
    turns.awareness_a,
    turns.awareness_b,
    turns.temperature_a,
    turns.temperature_b,
    turns.initial_prompt,

    -- what they said
    turns.a_content as agent_a_message,
    turns.b_content as agent_b_message,
    sha256(turns.a_content) as a_message_hash,
    sha256(turns.b_content) as b_message_hash,
    turns.a_prompt_tokens,
    turns.a_completion_tokens,
    turns.b_prompt_tokens,
    turns.b_completion_tokens,

    -- each message by itself
    {% for agent in ['a', 'b'] -%}
        {% for column, metric in message_columns -%}
            {% if metric in ['double', 'integer'] -%}
                cast(null as {{ metric }})
            {%- else -%}
                turns.{{ agent }}_{{ metric }}
            {%- endif %} as {{ agent }}_{{ column }},
        {% endfor %}
    {%- endfor %}
    -- the two together
    turns.vocabulary_overlap,
    turns.length_convergence,
    turns.structural_similarity as style_similarity,
    turns.structural_similarity,
    turns.semantic_similarity,
    turns.mimicry_score_a_to_b,
    turns.mimicry_score_b_to_a,
    cast(null as double) as sentiment_convergence,
    turns.formality_convergence,
    cast(null as double) as rhythm_convergence,
    turns.convergence_score as overall_convergence,
    turns.convergence_velocity,
    turns.turn_taking_balance,
    cast(null as double) as topic_consistency,
    turns.phrase_alignment,
    cast(null as double) as syntactic_convergence,
    turns.vocabulary_overlap as lexical_entrainment,
    cast(null as double) as prosodic_alignment,
    cast(null as double) as discourse_coherence,
    turns.cumulative_convergence,

    -- times
    cast(turns.a_response_time_ms as double) as response_time_a,
    cast(turns.b_response_time_ms as double) as response_time_b,
    cast(null as integer) as processing_time_ms,
    cast(null as double) as api_latency_a,
    cast(null as double) as api_latency_b,
    cast(null as integer) as turn_duration_ms,
    cast(null as double) as conversation_velocity,
    cast(null as double) as adaptation_rate,

    -- asked for, and not in Pidgin's schema
    {% for agent in ['a', 'b'] -%}
        cast(sum(turns.{{ agent }}_new_words) over so_far as integer)
            as cumulative_vocabulary_{{ agent }}{{ ',' if not loop.last }}
    {% endfor %}
from turns

left join conversations
    on turns.conversation_id = conversations.conversation_id

window
    so_far as (
        partition by turns.experiment_id, turns.conversation_id
        order by turns.turn_number
    )
