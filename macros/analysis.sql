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
