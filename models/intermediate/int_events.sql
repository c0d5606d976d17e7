{{ config(materialized = 'view') }}

with

-- One import for each use: what a view uses twice, DuckDB copies.
event_lines as (

    select * from {{ ref('int_event_lines') }}

),

duplicate_lines as (

    select * from {{ ref('int_duplicate_lines') }}

),

shared_ids as (

    select * from {{ ref('int_shared_conversation_ids') }}

),

lines_in_question as (

    select * from {{ ref('int_event_lines') }}

),

duplicates_in_question as (

    select * from {{ ref('int_duplicate_lines') }}

),

shown_ids as (

    select * from {{ ref('int_shared_conversation_ids') }}

),

-- What is asked of the id that was logged can be asked of the files themselves.
ordinary_events as (

    select event_lines.*

    from event_lines

    anti join duplicate_lines
        on
            event_lines.source_file = duplicate_lines.source_file
            and event_lines.line_number = duplicate_lines.line_number

    anti join shared_ids
        on
            event_lines.source_file = shared_ids.source_file
            and event_lines.conversation_id = shared_ids.logged_conversation_id

    where event_lines.line_kind = 'event'

),

-- Of conversations that share their id. Hardly ever are there any, and then nothing is read here.
other_events as (

    select lines_in_question.* replace (shown_ids.conversation_id as conversation_id)

    from lines_in_question

    inner join shown_ids
        on
            lines_in_question.source_file = shown_ids.source_file
            and lines_in_question.conversation_id = shown_ids.logged_conversation_id

    anti join duplicates_in_question
        on
            lines_in_question.source_file = duplicates_in_question.source_file
            and lines_in_question.line_number = duplicates_in_question.line_number

    where lines_in_question.line_kind = 'event'

),

events as (

    select * from ordinary_events

    union all

    select * from other_events

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
    is_archived,
    archived_experiment_id

from events
