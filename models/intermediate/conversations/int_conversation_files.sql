with

events as (

    select * from {{ ref('int_events') }}

),

event_state as (

    select * from {{ ref('int_event_state') }}

),

conversation_files as (

    select
        conversation_id,
        source_file,
        count(*) as event_count,
        min(experiment_id) as logged_experiment_id,
        min(timestamp) as first_event_at,
        max(timestamp) as last_event_at,
        bool_and(is_archived) as is_archived,
        min(archived_experiment_id) as archived_experiment_id,
        -- A sum, because it does not depend on the order of rows; line numbers and times
        -- make it depend on the order of events.
        -- Hashed once more, because a lake keeps a sum of hashes as a rounded number.
        hash(sum(hash(event_id, line_position, timestamp))) as content_hash

    from events

    where conversation_id is not null

    group by conversation_id, source_file

)

select
    conversation_files.*,
    row_number() over (
        partition by conversation_files.conversation_id
        order by conversation_files.first_event_at nulls last, conversation_files.source_file
    ) as file_order,
    event_state.event_state

from conversation_files

cross join event_state
