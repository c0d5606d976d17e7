{{ config(alias = 'messages') }}

with

messages as (

    select * from {{ ref('messages') }}

)

select
    conversation_id,
    turn_number,
    agent_id,
    content,
    sent_at at time zone 'UTC' as timestamp,
    total_tokens as token_count,
    cast(null as integer) as model_reported_tokens,

    -- asked for, and not in Pidgin's schema
    sent_at at time zone 'UTC' as created_at

from messages
