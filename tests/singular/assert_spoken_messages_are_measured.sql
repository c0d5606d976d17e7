-- A returned row is a spoken message of a complete turn without a row in message_metrics, or
-- a row there without such a message. If one were returned, an agent's means would rest on
-- some of its messages only, or on what nobody said.

with

messages as (

    select * from {{ ref('messages') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

),

spoken_messages as (

    select
        conversation_id,
        turn_number,
        agent_id

    from messages

    where
        is_turn_complete
        and not is_api_error
        and content is not null

)

select
    coalesce(spoken_messages.conversation_id, message_metrics.conversation_id) as conversation_id,
    coalesce(spoken_messages.turn_number, message_metrics.turn_number) as turn_number,
    coalesce(spoken_messages.agent_id, message_metrics.agent_id) as agent_id,
    message_metrics.conversation_id is not null as is_measured

from spoken_messages

full join message_metrics
    on
        spoken_messages.conversation_id = message_metrics.conversation_id
        and spoken_messages.turn_number = message_metrics.turn_number
        and spoken_messages.agent_id = message_metrics.agent_id

where
    spoken_messages.conversation_id is null
    or message_metrics.conversation_id is null
