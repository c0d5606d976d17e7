{{ config(alias = 'conversations') }}

with

conversations as (

    select * from {{ ref('conversations') }}

),

incidents as (

    select * from {{ ref('incidents') }}

),

incident_facts as (

    select
        conversation_id,
        arg_max(
            struct_pack(
                message := detail, error_type := error_type, occurred_at := occurred_at
            ),
            struct_pack(occurred_at := occurred_at, event_id := event_id)
        ) filter (where incident_type in ('api_error', 'timeout')) as last_error,
        bool_or(incident_type = 'truncation') as had_truncation

    from incidents

    group by conversation_id

),

known_conversations as (

    select
        conversations.*,
        -- What went wrong on the way to a proper end is in main.incidents.
        if(conversations.status = 'failed', incident_facts.last_error, null) as last_error,
        coalesce(incident_facts.had_truncation, false) as had_truncation

    from conversations

    left join incident_facts
        on conversations.conversation_id = incident_facts.conversation_id

)

select
    conversation_id,
    experiment_id,
    started_at at time zone 'UTC' as created_at,
    started_at at time zone 'UTC' as started_at,
    ended_at at time zone 'UTC' as completed_at,
    status,
    {% for agent in ['a', 'b'] -%}
        agent_{{ agent }}_model_logged as agent_{{ agent }}_model,
        agent_{{ agent }}_provider,
        temperature_{{ agent }} as agent_{{ agent }}_temperature,
        agent_{{ agent }}_name as agent_{{ agent }}_chosen_name,
    {% endfor -%}
    initial_prompt,
    max_turns,
    turn_count as total_turns,
    final_convergence as final_convergence_score,
    end_reason as convergence_reason,
    date_diff('millisecond', started_at, ended_at) as duration_ms,
    struct_extract(last_error, 'message') as error_message,
    struct_extract(last_error, 'error_type') as error_type,
    struct_extract(last_error, 'occurred_at') at time zone 'UTC' as error_timestamp,
    had_truncation

from known_conversations
