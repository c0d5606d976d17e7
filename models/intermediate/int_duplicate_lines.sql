with

event_lines as (

    select * from {{ ref('int_event_lines') }}

),

repeated_events as (

    select event_id

    from event_lines

    group by event_id

    having count(*) > 1

),

ranked_lines as (

    select
        event_lines.event_id,
        event_lines.source_file,
        event_lines.line_number,
        event_lines.is_archived,
        row_number() over (
            partition by event_lines.event_id
            order by event_lines.source_file, event_lines.line_number, event_lines.is_archived
        ) as occurrence

    from event_lines

    semi join repeated_events
        on event_lines.event_id = repeated_events.event_id

)

select *

from ranked_lines

where occurrence > 1
