-- A returned row is a conversation that counts other turns than turn_metrics and
-- rolling_convergence have rows for, or than conversation_patterns was made of. If one were
-- returned, averages over turns would leave part of the conversation out.

with

conversations as (

    select * from {{ ref('conversations') }}

),

measured_turns as (

    select
        conversation_id,
        count(*) as turn_count

    from {{ ref('turn_metrics') }}

    group by conversation_id

),

smoothed_turns as (

    select
        conversation_id,
        count(*) as turn_count

    from {{ ref('rolling_convergence') }}

    group by conversation_id

)

select
    conversations.conversation_id,
    conversations.turn_count,
    measured_turns.turn_count as measured_turn_count,
    smoothed_turns.turn_count as smoothed_turn_count,
    conversation_patterns.turn_count as pattern_turn_count

from conversations

left join measured_turns
    on conversations.conversation_id = measured_turns.conversation_id

left join smoothed_turns
    on conversations.conversation_id = smoothed_turns.conversation_id

left join {{ ref('conversation_patterns') }} as conversation_patterns
    on conversations.conversation_id = conversation_patterns.conversation_id

where
    conversations.turn_count is distinct from coalesce(measured_turns.turn_count, 0)
    or conversations.turn_count is distinct from coalesce(smoothed_turns.turn_count, 0)
    or conversations.turn_count is distinct from conversation_patterns.turn_count
