{{ config(materialized = 'view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

branch_events as (

    select
        conversation_id,
        source_file,
        line_position,
        json_transform(event_data, '{
            "source_conversation_id": "VARCHAR", "branch_point": "VARCHAR"
        }') as payload

    from events

    where event_type = 'ConversationBranchedEvent'

)

select
    conversation_id,
    source_file,
    line_position,
    payload['source_conversation_id'] as branched_from,
    payload['branch_point'] as branch_point

from branch_events
