-- A returned row is a message said to be of a complete turn that has no row in turn_metrics.
-- If one were returned, what was said in it would be missing from the metrics.

select
    messages.conversation_id,
    messages.turn_number,
    messages.agent_id

from {{ ref('messages') }} as messages

anti join {{ ref('turn_metrics') }} as turn_metrics
    on
        messages.conversation_id = turn_metrics.conversation_id
        and messages.turn_number = turn_metrics.turn_number

where messages.is_turn_complete
