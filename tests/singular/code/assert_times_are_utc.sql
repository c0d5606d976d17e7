-- A returned row is an event whose day is not that of its time in UTC, or whose time is not
-- the one that its line gives in UTC. If one were returned, days would depend on where the
-- warehouse was built, and events of two eras could not be put in order.

with

events as (

    select
        event_id,
        timestamp,
        event_date,
        json_extract_string(event_data, '$.timestamp') as logged_timestamp

    from {{ ref('events') }}

    where timestamp is not null

)

select *

from events

where
    event_date is distinct from cast(timezone('UTC', timestamp) as date)
    or (
        regexp_full_match(logged_timestamp, '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00')
        and left(logged_timestamp, 19) != strftime(timezone('UTC', timestamp), '%Y-%m-%dT%H:%M:%S')
    )
