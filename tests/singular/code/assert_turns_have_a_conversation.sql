-- A returned row is a turn that was logged as complete, whose conversation does not have a
-- row or does not count it. If one were returned, the turn would drop out of every figure
-- that goes by conversation or experiment.

with

logged_turns as (

    select
        conversation_id,
        count(distinct turn_number) as turn_count

    from {{ ref('events') }}

    where
        event_type = 'TurnCompleteEvent'
        and conversation_id is not null
        and turn_number is not null

    group by conversation_id

)

select
    logged_turns.conversation_id,
    logged_turns.turn_count,
    conversations.turn_count as counted_turn_count

from logged_turns

left join {{ ref('conversations') }} as conversations
    on logged_turns.conversation_id = conversations.conversation_id

where logged_turns.turn_count is distinct from conversations.turn_count
