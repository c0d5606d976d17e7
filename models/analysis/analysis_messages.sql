{{ config(alias = 'messages') }}

with

messages as (

    select * from {{ ref('messages') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

),

thinking_traces as (

    select * from {{ ref('thinking_traces') }}

),

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

experiments as (

    select * from {{ ref('experiments') }}

),

-- Each conversation as each of its agents sees it.
agents as (

    {% for agent, partner in [('a', 'b'), ('b', 'a')] -%}
        select
            conversation_id,
            'agent_{{ agent }}' as agent_id,
            agent_{{ agent }}_name as agent_name,
            agent_{{ agent }}_model as model,
            agent_{{ agent }}_provider as provider,
            agent_{{ partner }}_model as partner_model,
            agent_{{ partner }}_provider as partner_provider,
            awareness_{{ agent }} as awareness,
            has_custom_awareness_{{ agent }} as has_custom_awareness,
            temperature_{{ agent }} as temperature,
            thinking_enabled_{{ agent }} as thinking_enabled,
            thinking_budget_{{ agent }} as thinking_budget,
            max_tokens_{{ agent }} as max_tokens

        from conversations

        {{ 'union all' if not loop.last }}

    {% endfor %}

)

select
    messages.conversation_id,
    messages.turn_number,
    messages.agent_id,
    messages.experiment_id,
    experiments.name as experiment_name,
    messages.content,
    messages.sent_at,
    messages.is_turn_complete,
    messages.is_api_error,
    messages.is_spoken,

    -- who spoke, to whom, under which conditions
    agents.agent_name,
    agents.model,
    agents.provider,
    agents.partner_model,
    agents.partner_provider,
    agents.awareness,
    agents.has_custom_awareness,
    agents.temperature,
    agents.thinking_enabled,
    agents.thinking_budget,
    agents.max_tokens,

    -- the conversation
    conversations.status,
    conversations.end_reason,
    conversations.started_at,
    conversations.turn_count,
    conversations.initial_prompt,
    conversations.max_turns,
    conversations.convergence_threshold,

    -- the turn
    turn_metrics.convergence_score,
    turn_metrics.convergence_balanced,
    turn_metrics.vocabulary_overlap,

    -- tokens and time
    messages.prompt_tokens,
    messages.completion_tokens,
    messages.total_tokens,
    messages.tokens_used,
    messages.cache_read_tokens,
    messages.cache_write_tokens,
    messages.response_time_ms,

    -- how it is written
    {% for metric in number_metrics('message_metrics') -%}
        message_metrics.{{ metric.name }},
    {% endfor %}
    -- how near it is in meaning to what came before
    {% for column in ['semantic_similarity_to_previous', 'semantic_similarity_to_prompt'] -%}
        {% if embedding_model() -%}
            message_semantics.{{ column }},
        {% else -%}
            cast(null as double) as {{ column }},
        {% endif -%}
    {% endfor %}
    -- what the model thought before it wrote
    thinking_traces.thinking_content,
    thinking_traces.thinking_tokens

from messages

left join message_metrics
    on
        messages.conversation_id = message_metrics.conversation_id
        and messages.turn_number = message_metrics.turn_number
        and messages.agent_id = message_metrics.agent_id

{% if embedding_model() -%}
    left join {{ ref('message_semantics') }} as message_semantics
        on
            messages.conversation_id = message_semantics.conversation_id
            and messages.turn_number = message_semantics.turn_number
            and messages.agent_id = message_semantics.agent_id

{% endif -%}
left join thinking_traces
    on
        messages.conversation_id = thinking_traces.conversation_id
        and messages.turn_number = thinking_traces.turn_number
        and messages.agent_id = thinking_traces.agent_id

left join turn_metrics
    on
        messages.conversation_id = turn_metrics.conversation_id
        and messages.turn_number = turn_metrics.turn_number

left join agents
    on
        messages.conversation_id = agents.conversation_id
        and messages.agent_id = agents.agent_id

left join conversations
    on messages.conversation_id = conversations.conversation_id

left join experiments
    on messages.experiment_id = experiments.experiment_id
