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

end_reasons as (

    select * from {{ ref('end_reasons') }}

),

conversation_events as (

    {{ ordered_events('events', 'files') }}

),

conversation_ends as (

    {{ ordered_events(ref('int_conversation_ends'), 'files') }}
    where events.ended_at <= as_of  -- noqa: RF02

),

{{ conversation_state_steps() }}

select * from states
