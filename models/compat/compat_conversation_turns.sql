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

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

rolling_convergence as (

    select * from {{ ref('rolling_convergence') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

messages as (

    select * from {{ ref('messages') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

)

select
    turn_metrics.experiment_id,
    turn_metrics.conversation_id,
    turn_metrics.turn_number,
    turn_metrics.timestamp at time zone 'UTC' as timestamp,

    -- who spoke, and under which conditions
    conversations.agent_a_model_logged as agent_a_model,
    conversations.agent_b_model_logged as agent_b_model,
    conversations.awareness_a,
    conversations.awareness_b,
    conversations.temperature_a,
    conversations.temperature_b,
    conversations.initial_prompt,

    -- what they said
    messages_a.content as agent_a_message,
    messages_b.content as agent_b_message,
    sha256(messages_a.content) as a_message_hash,
    sha256(messages_b.content) as b_message_hash,
    messages_a.prompt_tokens as a_prompt_tokens,
    messages_a.completion_tokens as a_completion_tokens,
    messages_b.prompt_tokens as b_prompt_tokens,
    messages_b.completion_tokens as b_completion_tokens,

    -- each message by itself
    {% for agent in ['a', 'b'] -%}
        {% for column, metric in message_columns -%}
            {% if metric in ['double', 'integer'] -%}
                cast(null as {{ metric }})
            {%- else -%}
                metrics_{{ agent }}.{{ metric }}
            {%- endif %} as {{ agent }}_{{ column }},
        {% endfor %}
    {%- endfor %}
    -- the two together
    turn_metrics.vocabulary_overlap,
    turn_metrics.length_convergence,
    turn_metrics.structural_similarity as style_similarity,
    turn_metrics.structural_similarity,
    {% if embedding_model() -%}
        if(turn_metrics.is_spoken, semantics_b.semantic_similarity_to_previous, null)
    {%- else -%}
        cast(null as double)
    {%- endif %} as semantic_similarity,
    turn_metrics.mimicry_score_a_to_b,
    turn_metrics.mimicry_score_b_to_a,
    cast(null as double) as sentiment_convergence,
    turn_metrics.formality_convergence,
    cast(null as double) as rhythm_convergence,
    turn_metrics.convergence_score as overall_convergence,
    rolling_convergence.convergence_velocity,
    turn_metrics.turn_taking_balance,
    cast(null as double) as topic_consistency,
    turn_metrics.phrase_alignment,
    cast(null as double) as syntactic_convergence,
    turn_metrics.vocabulary_overlap as lexical_entrainment,
    cast(null as double) as prosodic_alignment,
    cast(null as double) as discourse_coherence,
    turn_metrics.cumulative_convergence,

    -- times
    cast(messages_a.response_time_ms as double) as response_time_a,
    cast(messages_b.response_time_ms as double) as response_time_b,
    cast(null as integer) as processing_time_ms,
    cast(null as double) as api_latency_a,
    cast(null as double) as api_latency_b,
    cast(null as integer) as turn_duration_ms,
    cast(null as double) as conversation_velocity,
    cast(null as double) as adaptation_rate,

    -- asked for, and not in Pidgin's schema
    cast(sum(metrics_a.new_words) over so_far as integer) as cumulative_vocabulary_a,
    cast(sum(metrics_b.new_words) over so_far as integer) as cumulative_vocabulary_b

from turn_metrics

left join conversations
    on turn_metrics.conversation_id = conversations.conversation_id

left join rolling_convergence
    on
        turn_metrics.conversation_id = rolling_convergence.conversation_id
        and turn_metrics.turn_number = rolling_convergence.turn_number

left join messages as messages_a
    on
        turn_metrics.conversation_id = messages_a.conversation_id
        and turn_metrics.turn_number = messages_a.turn_number
        and messages_a.agent_id = 'agent_a'

left join message_metrics as metrics_a
    on
        turn_metrics.conversation_id = metrics_a.conversation_id
        and turn_metrics.turn_number = metrics_a.turn_number
        and metrics_a.agent_id = 'agent_a'

left join messages as messages_b
    on
        turn_metrics.conversation_id = messages_b.conversation_id
        and turn_metrics.turn_number = messages_b.turn_number
        and messages_b.agent_id = 'agent_b'

left join message_metrics as metrics_b
    on
        turn_metrics.conversation_id = metrics_b.conversation_id
        and turn_metrics.turn_number = metrics_b.turn_number
        and metrics_b.agent_id = 'agent_b'
{% if embedding_model() %}
    left join {{ ref('message_semantics') }} as semantics_b
        on
            turn_metrics.conversation_id = semantics_b.conversation_id
            and turn_metrics.turn_number = semantics_b.turn_number
            and semantics_b.agent_id = 'agent_b'
{% endif %}
window
    so_far as (
        partition by turn_metrics.experiment_id, turn_metrics.conversation_id
        order by turn_metrics.turn_number
    )
