{{ config(materialized = 'view') }}

with

-- One import for each use: what a view uses twice, DuckDB copies.
logged_events as (

    select * from {{ ref('int_events') }}

    where not is_archived

),

archived_events as (

    select * from {{ ref('int_events') }}

    where is_archived

),

conversations as (

    select * from {{ ref('int_conversations') }}

),

events as (

    select
        logged_events.* replace (
            coalesce(conversations.experiment_id, logged_events.experiment_id) as experiment_id
        )

    from logged_events

    left join conversations
        on logged_events.conversation_id = conversations.conversation_id

    union all

    -- An archive says itself where its events belong: one that cannot hold what a query asks
    -- for is then passed over.
    select archived_events.* replace (archived_events.archived_experiment_id as experiment_id)

    from archived_events

)

select
    event_id,
    experiment_id,
    conversation_id,
    event_type,
    turn_number,
    agent_id,
    timestamp,
    event_date,
    event_data,
    source_file,
    line_number,
    is_archived

from events
