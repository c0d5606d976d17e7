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

),

turns as (

    select
        *,
        list_sum(
            list_transform(
                map_entries(agent_a_word_frequencies),
                lambda word: length(struct_extract(word, 'key')) * struct_extract(word, 'value')
            )
        ) as letter_count_a,
        list_sum(
            list_transform(
                map_entries(agent_b_word_frequencies),
                lambda word: length(struct_extract(word, 'key')) * struct_extract(word, 'value')
            )
        ) as letter_count_b

    from turn_metrics

)

select
    turns.conversation_id,
    turns.turn_number,
    turns.timestamp at time zone 'UTC' as timestamp,

    -- the two messages together
    turns.convergence_score,
    turns.vocabulary_overlap,
    turns.structural_similarity,
    cast(null as double) as topic_similarity,
    cast(null as double) as style_match,
    turns.cumulative_convergence as cumulative_overlap,
    turns.phrase_alignment as cross_repetition,
    turns.mimicry_score_a_to_b as mimicry_a_to_b,
    turns.mimicry_score_b_to_a as mimicry_b_to_a,
    (turns.mimicry_score_a_to_b + turns.mimicry_score_b_to_a) / 2 as mutual_mimicry,

    -- each by itself
    {% for agent in ['a', 'b'] -%}
        {% for column, metric in message_columns -%}
            {% if column == 'avg_word_length' -%}
                if(
                    metrics_{{ agent }}.word_count = 0,
                    0,
                    turns.letter_count_{{ agent }} / metrics_{{ agent }}.word_count
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
    to_json(turns.agent_a_word_frequencies) as word_frequencies_a,
    to_json(turns.agent_b_word_frequencies) as word_frequencies_b,
    if(
        turns.is_spoken,
        to_json(
            list_sort(
                list_intersect(
                    map_keys(turns.agent_a_word_frequencies),
                    map_keys(turns.agent_b_word_frequencies)
                )
            )
        ),
        null
    ) as shared_vocabulary,

    -- times
    cast(null as timestamp) as turn_start_time,
    turns.timestamp at time zone 'UTC' as turn_end_time,
    cast(null as integer) as duration_ms,

    -- asked for, and not in Pidgin's schema
    turns.experiment_id,
    messages_a.prompt_tokens + messages_a.completion_tokens as agent_a_tokens,
    metrics_a.message_length as message_length_a,
    messages_b.prompt_tokens + messages_b.completion_tokens as agent_b_tokens,
    metrics_b.message_length as message_length_b

from turns

left join messages as messages_a
    on
        turns.conversation_id = messages_a.conversation_id
        and turns.turn_number = messages_a.turn_number
        and messages_a.agent_id = 'agent_a'

left join message_metrics as metrics_a
    on
        turns.conversation_id = metrics_a.conversation_id
        and turns.turn_number = metrics_a.turn_number
        and metrics_a.agent_id = 'agent_a'

left join messages as messages_b
    on
        turns.conversation_id = messages_b.conversation_id
        and turns.turn_number = messages_b.turn_number
        and messages_b.agent_id = 'agent_b'

left join message_metrics as metrics_b
    on
        turns.conversation_id = metrics_b.conversation_id
        and turns.turn_number = metrics_b.turn_number
        and metrics_b.agent_id = 'agent_b'
