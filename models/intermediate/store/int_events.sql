{{ config(materialized = 'view') }}

{%- set columns -%}
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
{%- endset %}

with

event_lines as (

    select * from {{ ref('int_event_lines') }}

),

duplicate_lines as (

    select * from {{ ref('int_duplicate_lines') }}

),

-- One import for each use, because DuckDB materializes what a view uses twice.
lines_of_shared_ids as (

    select * from {{ ref('int_lines_of_shared_ids') }}

),

lines_to_show as (

    select * from {{ ref('int_lines_of_shared_ids') }}

),

-- Conditions on the logged id reach the files themselves.
ordinary_events as (

    select event_lines.*

    from event_lines

    anti join duplicate_lines
        on
            event_lines.source_file = duplicate_lines.source_file
            and event_lines.line_position = duplicate_lines.line_position

    anti join lines_of_shared_ids
        on
            event_lines.source_file = lines_of_shared_ids.source_file
            and event_lines.line_position = lines_of_shared_ids.line_position

    where event_lines.line_kind = 'event'

)

select {{ columns }}

from ordinary_events

union all

select {{ columns }}

from lines_to_show

where not is_duplicate
