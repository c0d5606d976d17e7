{#- What the views of the schema `analysis` have in common. -#}

{#- The settings of a conversation that its turns show, too: all but the long texts. -#}
{% macro conversation_conditions() %}
    {{- return([
        'initial_prompt', 'awareness_a', 'awareness_b', 'has_custom_awareness_a',
        'has_custom_awareness_b', 'temperature_a', 'temperature_b', 'thinking_enabled_a',
        'thinking_enabled_b', 'thinking_budget_a', 'thinking_budget_b', 'max_tokens_a',
        'max_tokens_b', 'choose_names', 'prompt_tag', 'max_turns', 'convergence_threshold',
        'convergence_action', 'branched_from', 'branch_point',
    ]) -}}
{% endmacro %}

{#- The metrics of a message that are one number each. -#}
{% macro message_metric_names() %}
    {{- return([
        'message_length', 'word_count', 'vocabulary_size', 'sentence_count', 'paragraph_count',
        'avg_sentence_length', 'spaced_words_per_sentence', 'statement_count',
        'type_token_ratio', 'hapax_ratio', 'lexical_diversity_index', 'mattr', 'recent_mattr',
        'mtld', 'hd_d', 'repeated_bigrams', 'repeated_trigrams', 'self_repetition',
        'turn_repetition', 'similarity_to_last', 'similarity_to_last_but_one',
        'similarity_to_partner', 'new_words', 'newly_shared_words', 'word_entropy',
        'bigram_entropy', 'character_entropy', 'compression_ratio', 'symbol_density',
        'symbol_share', 'emoji_count', 'pictograph_count', 'arrow_count', 'math_symbol_count',
        'punctuation_diversity', 'special_char_count', 'number_count', 'novel_symbols',
        'symbol_line_share', 'direction_words', 'question_count', 'question_density',
        'exclamation_count', 'hedge_words', 'agreement_markers', 'disagreement_markers',
        'politeness_markers', 'first_person_singular', 'first_person_plural', 'second_person',
        'third_person', 'certainty_words', 'tentative_words', 'gratitude_markers',
        'discourse_markers', 'existential_language', 'meta_commentary', 'closing_statements',
        'ending_statements', 'appreciation_statements', 'transcendence_statements',
        'building_statements', 'hedge_density', 'proper_noun_count', 'passive_voice',
        'formality_score', 'flesch_reading_ease',
    ]) -}}
{% endmacro %}

{#- The two models of a conversation as one text, the same whoever began. -#}
{% macro model_pair(conversations) -%}
    if(
        {{ conversations }}.agent_a_model is null or {{ conversations }}.agent_b_model is null,
        null,
        least({{ conversations }}.agent_a_model, {{ conversations }}.agent_b_model)
        || ' + '
        || greatest({{ conversations }}.agent_a_model, {{ conversations }}.agent_b_model)
    )
{%- endmacro %}
