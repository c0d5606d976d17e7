{{
    config(
        materialized = 'table_function',
        parameters = ['as_of'],
        contract = {'enforced': false},
    )
}}

with

files as (

    select
        conversation_id,
        source_file,
        file_order

    from {{ ref('int_conversation_files') }}

),

events as (

    select
        conversation_id,
        source_file,
        line_position,
        event_type,
        turn_number,
        timestamp

    from {{ ref('int_events') }}

    where timestamp <= as_of  -- noqa: RF02

),

conversation_ends as (

    select * from {{ ref('int_conversation_ends') }}

    where ended_at <= as_of  -- noqa: RF02

),

end_reasons as (

    select * from {{ ref('end_reasons') }}

),

known_events as (

    {{ ordered_events('events', 'files') }}

),

known_ends as (

    {{ ordered_events('conversation_ends', 'files') }}

),

{{ conversation_state_steps('known_events', 'known_ends') }}

select * from states
