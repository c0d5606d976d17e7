-- A returned row is a conversation whose status or reason is not what its own end events
-- and the seed end_reasons say, or whose manifest says otherwise unnoticed. If one were
-- returned, runs that failed could count as completed because their manifest says so.

with

conversations as (

    select * from {{ ref('conversations') }}

),

end_reasons as (

    select * from {{ ref('end_reasons') }}

),

end_events as (

    select
        conversation_id,
        count(*) as end_count,
        list(json_extract_string(event_data, '$.reason')) as reasons

    from {{ ref('events') }}

    where
        event_type = 'ConversationEndEvent'
        and conversation_id is not null

    group by conversation_id

),

states as (

    select * from {{ ref('conversation_state') }}

)

select
    conversations.conversation_id,
    conversations.status,
    conversations.end_reason,
    conversations.manifest_status,
    states.status as state,
    end_events.reasons

from conversations

left join end_events
    on conversations.conversation_id = end_events.conversation_id

left join end_reasons
    on conversations.end_reason = end_reasons.reason

left join states
    on conversations.conversation_id = states.conversation_id

where
    conversations.status is distinct from states.status
    or conversations.end_reason is distinct from states.end_reason
    or conversations.status is distinct from if(
        end_events.end_count is null, 'unfinished', coalesce(end_reasons.status, 'interrupted')
    )
    or (
        conversations.end_reason is not null
        and not coalesce(list_contains(end_events.reasons, conversations.end_reason), false)
    )
    or (
        conversations.manifest_status in ('completed', 'interrupted', 'failed')
        and (conversations.manifest_status != conversations.status)
        is distinct from conversations.is_status_disputed
    )
