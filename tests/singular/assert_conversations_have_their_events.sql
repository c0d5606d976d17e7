-- A returned row is a conversation that does not count exactly the events that name it. If
-- one were returned, the conversation would be built from events that are no longer there,
-- or would lack some that came since.

with

event_counts as (

    select
        conversation_id,
        count(*) as event_count

    from {{ ref('events') }}

    where conversation_id is not null

    group by conversation_id

)

select
    conversation_state.conversation_id,
    conversation_state.event_count,
    event_counts.event_count as found_event_count

from {{ ref('conversation_state') }} as conversation_state

left join event_counts
    on conversation_state.conversation_id = event_counts.conversation_id

where conversation_state.event_count is distinct from event_counts.event_count
