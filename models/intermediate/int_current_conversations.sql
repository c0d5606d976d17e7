{{ config(materialized = 'view') }}

with

conversations as (

    select * from {{ ref('int_conversations') }}

),

event_state as (

    select * from {{ ref('int_event_state') }}

)

select conversations.*

from conversations

semi join event_state
    on conversations.event_state = event_state.event_state
