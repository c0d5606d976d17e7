{{ config(alias = 'conversations') }}

{%- set token_kinds = ['prompt', 'completion', 'cache_read', 'cache_write', 'thinking'] -%}
{%- set incident_types = ['api_error', 'timeout', 'rate_limit_wait', 'truncation', 'context_limit',
    'empty_reply', 'interrupt'] %}

with

conversations as (

    select * from {{ ref('conversations') }}

),

experiments as (

    select * from {{ ref('experiments') }}

),

conversation_patterns as (

    select * from {{ ref('conversation_patterns') }}

),

messages as (

    select * from {{ ref('messages') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

),

token_usage as (

    select * from {{ ref('token_usage') }}

),

incidents as (

    select * from {{ ref('incidents') }}

),

message_totals as (

    select
        conversation_id,
        {% for agent in ['a', 'b'] -%}
            count(*) filter (where agent_id = 'agent_{{ agent }}' and not is_api_error)
                as message_count_{{ agent }},
            count(*) filter (where agent_id = 'agent_{{ agent }}' and is_api_error)
                as placeholder_count_{{ agent }},
            bool_or(is_spoken) filter (where agent_id = 'agent_{{ agent }}')
                as has_spoken_{{ agent }},
        {% endfor -%}
        median(response_time_ms) filter (where agent_id = 'agent_a' and not is_api_error)
            as median_response_time_ms_a,
        median(response_time_ms) filter (where agent_id = 'agent_b' and not is_api_error)
            as median_response_time_ms_b

    from messages

    group by conversation_id

),

word_totals as (

    select
        conversation_id,
        {% for agent in ['a', 'b'] -%}
            sum(word_count) filter (where agent_id = 'agent_{{ agent }}') as word_count_{{ agent }},
            sum(new_words) filter (where agent_id = 'agent_{{ agent }}')
                as vocabulary_size_{{ agent }},
        {% endfor -%}
        sum(newly_shared_words) as shared_vocabulary_size

    from message_metrics

    group by conversation_id

),

usage_totals as (

    select
        conversation_id,
        {% for agent in ['a', 'b'] -%}
            {% for kind in token_kinds -%}
                max({{ kind }}_tokens) filter (where agent_id = 'agent_{{ agent }}')
                    as {{ kind }}_tokens_{{ agent }},
            {% endfor -%}
            max(cost_usd) filter (where agent_id = 'agent_{{ agent }}') as cost_usd_{{ agent }},
            bool_or(is_reported) filter (where agent_id = 'agent_{{ agent }}')
                as are_tokens_reported_{{ agent }},
        {% endfor -%}
        -- A part is no total.
        if(bool_and(cost_usd is not null), sum(cost_usd), null) as cost_usd

    from token_usage

    group by conversation_id

),

incident_totals as (

    select
        conversation_id,
        {% for incident_type in incident_types -%}
            count(*) filter (where incident_type = '{{ incident_type }}')
                as {{ incident_type }}_count,
        {% endfor -%}
        count(*) as incident_count,
        sum(seconds order by seconds) filter (where incident_type = 'rate_limit_wait')
            as rate_limit_wait_seconds

    from incidents

    group by conversation_id

)

select
    conversations.conversation_id,
    conversations.experiment_id,
    experiments.name as experiment_name,
    conversations.status,
    conversations.end_reason,
    conversations.is_status_disputed,
    conversations.started_at,
    conversations.ended_at,
    conversations.last_event_at,
    (
        epoch_ms(coalesce(conversations.ended_at, conversations.last_event_at))
        - epoch_ms(conversations.started_at)
    ) / 1000 as duration_seconds,

    -- who spoke
    {{ model_pair('conversations') }} as model_pair,
    conversations.agent_a_model,
    conversations.agent_b_model,
    conversations.agent_a_provider,
    conversations.agent_b_provider,
    conversations.agent_a_name,
    conversations.agent_b_name,

    -- under which conditions
    {% for condition in conversation_conditions() -%}
        conversations.{{ condition }},
    {% endfor -%}
    conversations.system_prompt_a,
    conversations.system_prompt_b,

    -- how much
    conversations.turn_count,
    conversation_patterns.spoken_turn_count,
    {% for agent in ['a', 'b'] -%}
        coalesce(message_totals.message_count_{{ agent }}, 0) as message_count_{{ agent }},
        coalesce(message_totals.placeholder_count_{{ agent }}, 0) as placeholder_count_{{ agent }},
        cast(word_totals.word_count_{{ agent }} as bigint) as word_count_{{ agent }},
        cast(word_totals.vocabulary_size_{{ agent }} as bigint) as vocabulary_size_{{ agent }},
    {% endfor -%}
    cast(word_totals.shared_vocabulary_size as bigint) as shared_vocabulary_size,
    message_totals.median_response_time_ms_a,
    message_totals.median_response_time_ms_b,

    -- the live score, as recorded and recomputed with the balanced profile
    conversations.final_convergence,
    conversations.peak_convergence,
    conversations.ended_on_placeholders,
    conversation_patterns.mean_convergence,
    conversation_patterns.final_convergence_balanced,
    conversation_patterns.peak_convergence_balanced,
    conversation_patterns.mean_convergence_balanced,
    conversation_patterns.convergence_velocity,

    -- alignment, beyond the permutation baseline
    conversation_patterns.first_half_alignment,
    conversation_patterns.first_half_baseline,
    conversation_patterns.second_half_alignment,
    conversation_patterns.second_half_baseline,
    conversation_patterns.alignment_gain,

    -- patterns, each with the turn in which it begins
    {% for pattern in pattern_names() -%}
        conversation_patterns.has_{{ pattern }},
    {% endfor -%}
    conversation_patterns.loop_turn,
    conversation_patterns.loop_period,
    conversation_patterns.loop_escape_turn,
    conversation_patterns.loop_share,
    {% for pattern in pattern_names() if pattern != 'loop' -%}
        conversation_patterns.{{ pattern }}_turn,
    {% endfor -%}
    conversation_patterns.symbol_onset_turn,
    conversation_patterns.symbol_adoption_turn,
    conversation_patterns.transcendence_share,
    conversation_patterns.building_share,

    -- tokens and what they cost
    {% for agent in ['a', 'b'] -%}
        {% for kind in token_kinds -%}
            usage_totals.{{ kind }}_tokens_{{ agent }},
        {% endfor -%}
        usage_totals.are_tokens_reported_{{ agent }},
        usage_totals.cost_usd_{{ agent }},
    {% endfor -%}
    -- Who spoke has used tokens, logged or not.
    if(
        (usage_totals.cost_usd_a is not null or message_totals.has_spoken_a is not true)
        and (usage_totals.cost_usd_b is not null or message_totals.has_spoken_b is not true),
        usage_totals.cost_usd,
        null
    ) as cost_usd,

    -- trouble
    coalesce(incident_totals.incident_count, 0) as incident_count,
    {% for incident_type in incident_types -%}
        coalesce(incident_totals.{{ incident_type }}_count, 0) as {{ incident_type }}_count,
    {% endfor -%}
    incident_totals.rate_limit_wait_seconds

from conversations

left join experiments
    on conversations.experiment_id = experiments.experiment_id

left join conversation_patterns
    on conversations.conversation_id = conversation_patterns.conversation_id

left join message_totals
    on conversations.conversation_id = message_totals.conversation_id

left join word_totals
    on conversations.conversation_id = word_totals.conversation_id

left join usage_totals
    on conversations.conversation_id = usage_totals.conversation_id

left join incident_totals
    on conversations.conversation_id = incident_totals.conversation_id
