{#- Metrics of turn_metrics that stand beside others here; the rest follow in its order. -#}
{%- set placed_elsewhere = [
    'convergence_score', 'legacy_convergence_score', 'convergence_balanced',
    'convergence_structural', 'convergence_semantic', 'convergence_strict',
    'punctuation_similarity',
] -%}
{{ config(alias = 'turns') }}

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

experiments as (

    select * from {{ ref('experiments') }}

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
        json_extract_string(extended_metrics, [
            '$.content_similarity', '$.length_similarity', '$.sentence_similarity',
            '$.structure_similarity'
        ]) as component_similarities

    from turn_metrics

)

select
    turns.conversation_id,
    turns.turn_number,
    turns.experiment_id,
    experiments.name as experiment_name,
    turns.timestamp,
    turns.is_spoken,

    -- the conversation
    conversations.status,
    conversations.end_reason,
    conversations.started_at,
    conversations.turn_count,
    {{ model_pair('conversations') }} as model_pair,
    conversations.agent_a_model,
    conversations.agent_b_model,
    conversations.agent_a_provider,
    conversations.agent_b_provider,
    conversations.agent_a_name,
    conversations.agent_b_name,
    {% for condition in conversation_conditions() -%}
        conversations.{{ condition }},
    {% endfor %}
    -- the live score, as recorded and recomputed
    turns.convergence_score,
    rolling_convergence.delta,
    rolling_convergence.rolling_avg_5,
    rolling_convergence.rolling_avg_10,
    rolling_convergence.trend,
    turns.convergence_balanced,
    rolling_convergence.balanced_delta,
    rolling_convergence.balanced_rolling_avg_5,
    rolling_convergence.balanced_rolling_avg_10,
    rolling_convergence.balanced_trend,
    rolling_convergence.convergence_velocity,
    turns.convergence_structural,
    turns.convergence_semantic,
    turns.convergence_strict,

    -- how alike the two messages are
    {% for metric in number_metrics('turn_metrics') if metric.name not in placed_elsewhere -%}
        turns.{{ metric.name }},
    {% endfor -%}
    cast(turns.component_similarities[1] as double) as content_similarity,
    cast(turns.component_similarities[2] as double) as length_similarity,
    cast(turns.component_similarities[3] as double) as sentence_similarity,
    cast(turns.component_similarities[4] as double) as structure_similarity,
    turns.punctuation_similarity,
    {% if embedding_model() -%}
        if(turns.is_spoken, semantics_b.semantic_similarity_to_previous, null)
    {%- else -%}
        cast(null as double)
    {%- endif %} as semantic_similarity,
    struct_extract(turns.lexical_metrics, 'vocabulary_size') as vocabulary_size,
    struct_extract(turns.lexical_metrics, 'type_token_ratio') as type_token_ratio,

    -- the message of each agent
    {% for agent in ['a', 'b'] -%}
        {% for column in [
            'content', 'sent_at', 'is_api_error', 'prompt_tokens', 'completion_tokens',
            'response_time_ms',
        ] -%}
            messages_{{ agent }}.{{ column }} as {{ agent }}_{{ column }},
        {% endfor -%}
        {% for metric in number_metrics('message_metrics') -%}
            metrics_{{ agent }}.{{ metric.name }} as {{ agent }}_{{ metric.name }},
        {% endfor %}
    {%- endfor %}
    -- by another formula
    turns.legacy_convergence_score

from turns

left join rolling_convergence
    on
        turns.conversation_id = rolling_convergence.conversation_id
        and turns.turn_number = rolling_convergence.turn_number

left join conversations
    on turns.conversation_id = conversations.conversation_id

left join experiments
    on turns.experiment_id = experiments.experiment_id

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
{% if embedding_model() %}
    left join {{ ref('message_semantics') }} as semantics_b
        on
            turns.conversation_id = semantics_b.conversation_id
            and turns.turn_number = semantics_b.turn_number
            and semantics_b.agent_id = 'agent_b'
{% endif %}
