{{ config(alias = 'events') }}

with

events as (

    select * from {{ ref('events') }}

)

select
    event_id,
    timestamp at time zone 'UTC' as timestamp,
    event_type,
    conversation_id,
    experiment_id,
    event_data,
    event_date,
    line_number as sequence

from events
