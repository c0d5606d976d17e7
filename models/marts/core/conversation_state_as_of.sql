{{
    config(
        materialized = 'table_function',
        parameters = ['as_of'],
        contract = {'enforced': false},
    )
}}

with

conversation_files as (

    select * from {{ ref('int_conversation_files') }}

),

events as (

    select * from {{ ref('int_events') }}

),

end_reasons as (

    select * from {{ ref('end_reasons') }}

),

conversation_events as (

    select
        events.*,
        conversation_files.file_order

    from events

    inner join conversation_files
        on
            events.conversation_id = conversation_files.conversation_id
            and events.source_file = conversation_files.source_file

    where events.timestamp <= as_of  -- noqa: RF02

),

{{ conversation_state_steps() }}

select * from states
