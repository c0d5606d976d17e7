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
        }') as fields

    from events

    where event_type = 'ConversationBranchedEvent'

)

select
    conversation_id,
    source_file,
    line_position,
    fields.source_conversation_id as branched_from,
    fields.branch_point as branch_point

from branch_events
