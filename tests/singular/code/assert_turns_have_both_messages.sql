-- A returned row is a complete turn without one message of each agent. If one were returned,
-- half of an exchange would be missing, and one agent would seem to fall silent.

with

complete_messages as (

    select
        conversation_id,
        turn_number,
        count(distinct agent_id) as agent_count

    from {{ ref('messages') }}

    where is_turn_complete

    group by conversation_id, turn_number

)

select
    turn_metrics.conversation_id,
    turn_metrics.turn_number,
    complete_messages.agent_count

from {{ ref('turn_metrics') }} as turn_metrics

left join complete_messages
    on
        turn_metrics.conversation_id = complete_messages.conversation_id
        and turn_metrics.turn_number = complete_messages.turn_number

where complete_messages.agent_count is distinct from 2
