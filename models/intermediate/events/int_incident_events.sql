{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

incident_types as (

    select * from {{ ref('incident_types') }}

),

incident_events as (

    select
        events.event_id,
        events.conversation_id,
        events.source_file,
        events.line_position,
        events.turn_number,
        events.agent_id,
        incident_types.incident_type,
        events.event_type,
        events.timestamp,
        json_transform(events.event_data, '{
            "error_type": "VARCHAR", "error_message": "VARCHAR", "provider": "VARCHAR",
            "context": "VARCHAR", "wait_time": "VARCHAR", "timeout_seconds": "VARCHAR",
            "messages_dropped": "VARCHAR", "interrupt_source": "VARCHAR",
            "paused_during": "VARCHAR", "retryable": "VARCHAR"
        }') as payload

    from events

    inner join incident_types
        on events.event_type = incident_types.event_type

)

select
    event_id,
    conversation_id,
    source_file,
    line_position,
    turn_number,
    {{ logged_turn_number("regexp_extract(payload['context'], '\\bturn (\\d+)', 1, 'i')") }}
        as turn_number_in_context,
    agent_id,
    incident_type,
    event_type,
    case incident_type
        when 'rate_limit_wait'
            then format('waited {:.1f} s', {{ logged_seconds("payload['wait_time']") }})
        when 'truncation'
            then 'dropped ' || {{ logged_count("payload['messages_dropped']") }} || ' messages'
        when 'empty_reply' then 'the reply held no text'
        when 'interrupt'
            then coalesce(
                    'by ' || payload['interrupt_source'],
                    'paused ' || replace(payload['paused_during'], '_', ' ')
                )
        else payload['error_message']
    end as detail,
    payload['error_type'] as error_type,
    payload['provider'] as provider,
    {{ logged_seconds("coalesce(payload['wait_time'], payload['timeout_seconds'])") }} as seconds,
    try_cast(payload['retryable'] as boolean) as is_retryable,
    timestamp as occurred_at

from incident_events
