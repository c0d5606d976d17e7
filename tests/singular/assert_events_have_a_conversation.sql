-- A returned row is a conversation that events name and that has no row of its own. If one
-- were returned, a whole conversation would be missing from every analysis.

select
    events.conversation_id,
    count(*) as event_count

from {{ ref('events') }} as events

anti join {{ ref('conversations') }} as conversations
    on events.conversation_id = conversations.conversation_id

where events.conversation_id is not null

group by events.conversation_id
