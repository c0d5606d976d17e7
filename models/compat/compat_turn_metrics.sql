{#- Pidgin's columns of one message, in its order, each with the metric of message_metrics that it
    is. -#}
{%- set message_columns = [
    ('length', 'message_length'), ('word_count', 'word_count'),
    ('unique_words', 'vocabulary_size'), ('type_token_ratio', 'type_token_ratio'),
    ('avg_word_length', none), ('response_time_ms', none),
    ('sentence_count', 'sentence_count'), ('paragraph_count', 'paragraph_count'),
    ('avg_sentence_length', 'avg_sentence_length'), ('question_count', 'question_count'),
    ('exclamation_count', 'exclamation_count'), ('special_symbol_count', 'special_char_count'),
    ('number_count', 'number_count'), ('proper_noun_count', 'proper_noun_count'),
    ('entropy', 'word_entropy'), ('compression_ratio', 'compression_ratio'),
    ('lexical_diversity', 'lexical_diversity_index'),
    ('punctuation_diversity', 'punctuation_diversity'), ('self_repetition', 'self_repetition'),
    ('turn_repetition', 'turn_repetition'), ('formality_score', 'formality_score'),
    ('starts_with_ack', none), ('new_words', 'new_words'), ('hedge_words', 'hedge_words'),
    ('agreement_markers', 'agreement_markers'), ('disagreement_markers', 'disagreement_markers'),
    ('politeness_markers', 'politeness_markers'),
    ('first_person_singular', 'first_person_singular'),
    ('first_person_plural', 'first_person_plural'), ('second_person', 'second_person'),
] -%}
{{ config(alias = 'turn_metrics') }}

with

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

messages as (

    select * from {{ ref('messages') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

)

select
    turn_metrics.conversation_id,
    turn_metrics.turn_number,
    turn_metrics.timestamp at time zone 'UTC' as timestamp,

    -- the two messages together
    turn_metrics.convergence_score,
    turn_metrics.vocabulary_overlap,
    turn_metrics.structural_similarity,
    cast(null as double) as topic_similarity,
    cast(null as double) as style_match,
    turn_metrics.cumulative_convergence as cumulative_overlap,
    turn_metrics.phrase_alignment as cross_repetition,
    turn_metrics.mimicry_score_a_to_b as mimicry_a_to_b,
    turn_metrics.mimicry_score_b_to_a as mimicry_b_to_a,
    (turn_metrics.mimicry_score_a_to_b + turn_metrics.mimicry_score_b_to_a) / 2 as mutual_mimicry,

    -- each by itself
    {% for agent in ['a', 'b'] -%}
        {% for column, metric in message_columns -%}
            {% if column == 'avg_word_length' -%}
                if(
                    metrics_{{ agent }}.word_count = 0,
                    0,
                    list_sum(
                        list_transform(
                            map_entries(turn_metrics.agent_{{ agent }}_word_frequencies),
                            lambda word: length(word.key) * word.value
                        )
                    ) / metrics_{{ agent }}.word_count
                )
            {%- elif column == 'response_time_ms' -%}
                messages_{{ agent }}.response_time_ms
            {%- elif column == 'starts_with_ack' -%}
                cast(null as boolean)
            {%- elif column == 'punctuation_diversity' -%}
                cast(metrics_{{ agent }}.{{ metric }} as double)
            {%- else -%}
                metrics_{{ agent }}.{{ metric }}
            {%- endif %} as message_{{ agent }}_{{ column }},
        {% endfor %}
    {%- endfor %}
    -- their words
    to_json(turn_metrics.agent_a_word_frequencies) as word_frequencies_a,
    to_json(turn_metrics.agent_b_word_frequencies) as word_frequencies_b,
    if(
        turn_metrics.is_spoken,
        to_json(
            list_sort(
                list_intersect(
                    map_keys(turn_metrics.agent_a_word_frequencies),
                    map_keys(turn_metrics.agent_b_word_frequencies)
                )
            )
        ),
        null
    ) as shared_vocabulary,

    -- times
    cast(null as timestamp) as turn_start_time,
    turn_metrics.timestamp at time zone 'UTC' as turn_end_time,
    cast(null as integer) as duration_ms,

    -- asked for, and not in Pidgin's schema
    turn_metrics.experiment_id,
    {% for agent in ['a', 'b'] -%}
        messages_{{ agent }}.prompt_tokens + messages_{{ agent }}.completion_tokens
            as agent_{{ agent }}_tokens,
        metrics_{{ agent }}.message_length as message_length_{{ agent }}{{ ',' if not loop.last }}
    {% endfor %}
from turn_metrics

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
