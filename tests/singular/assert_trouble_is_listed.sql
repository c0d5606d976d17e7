-- A returned row is an event of trouble or delay in a conversation that is not an incident,
-- or an incident that no such event tells of. If one were returned, rates of errors would be
-- too low or too high. Ids that two conversations share are no events of trouble, but the start
-- of the one that is shown under another id.

with

incidents as (

    select * from {{ ref('incidents') }}

),

trouble_events as (

    select events.*

    from {{ ref('events') }} as events

    semi join {{ ref('incident_types') }} as incident_types
        on events.event_type = incident_types.event_type

    where events.conversation_id is not null

    union

    select events.*

    from {{ ref('events') }} as events

    semi join {{ ref('int_lines_of_shared_ids') }} as lines_of_shared_ids
        on
            events.event_id = lines_of_shared_ids.start_event_id
            and events.conversation_id != lines_of_shared_ids.logged_conversation_id

)

select
    trouble_events.event_id as logged_event_id,
    incidents.event_id as listed_event_id

from trouble_events

full join incidents
    on trouble_events.event_id = incidents.event_id

where
    trouble_events.event_id is null
    or incidents.event_id is null
