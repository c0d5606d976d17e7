{{ config(materialized = 'view') }}

with

event_lines as not materialized (

    select * from {{ ref('int_event_lines') }}

),

duplicate_lines as not materialized (

    select * from {{ ref('int_duplicate_lines') }}

),

shared_ids as not materialized (

    select * from {{ ref('int_shared_conversation_ids') }}

),

unique_lines as not materialized (

    select event_lines.*

    from event_lines

    anti join duplicate_lines
        on
            event_lines.source_file = duplicate_lines.source_file
            and event_lines.line_position = duplicate_lines.line_position

    where event_lines.line_kind = 'event'

),

-- Each with the id that it was logged with. What is asked of it can still be asked of the files.
ordinary_events as (

    select unique_lines.*

    from unique_lines

    anti join shared_ids
        on
            unique_lines.source_file = shared_ids.source_file
            and unique_lines.conversation_id = shared_ids.logged_conversation_id

),

events_of_shared_ids as (

    select unique_lines.* replace (shared_ids.conversation_id as conversation_id)

    from unique_lines

    inner join shared_ids
        on
            unique_lines.source_file = shared_ids.source_file
            and unique_lines.conversation_id = shared_ids.logged_conversation_id

),

events as (

    select * from ordinary_events

    union all

    select * from events_of_shared_ids

)

select
    event_id,
    event_type,
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    timestamp,
    event_date,
    event_data,
    source_file,
    line_number,
    line_position,
    is_archived,
    archived_experiment_id

from events
