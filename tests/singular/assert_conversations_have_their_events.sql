-- A returned row is a conversation that does not count exactly the events that name it, or that
-- events name and that has no row of its own. If one were returned, the conversation would be
-- missing from every analysis, be built from events that are no longer there, or lack some
-- that came since.

with

event_counts as (

    select
        conversation_id,
        count(*) as event_count

    from {{ ref('events') }}

    where conversation_id is not null

    group by conversation_id

),

counted_conversations as (

    select
        coalesce(conversations.conversation_id, conversation_state.conversation_id)
            as conversation_id,
        if(conversations.conversation_id is null, null, conversation_state.event_count)
            as event_count

    from {{ ref('conversations') }} as conversations

    full join {{ ref('conversation_state') }} as conversation_state
        on conversations.conversation_id = conversation_state.conversation_id

)

select
    coalesce(counted_conversations.conversation_id, event_counts.conversation_id)
        as conversation_id,
    counted_conversations.event_count,
    event_counts.event_count as found_event_count

from counted_conversations

full join event_counts
    on counted_conversations.conversation_id = event_counts.conversation_id

where
    counted_conversations.event_count is null
    or event_counts.event_count is null
    or counted_conversations.event_count != event_counts.event_count
