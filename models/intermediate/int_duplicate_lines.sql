with

event_lines as (

    select * from {{ ref('int_event_lines') }}

),

repeated_events as (

    select event_id

    from event_lines

    where line_kind = 'event'

    group by event_id

    having count(*) > 1

),

ranked_lines as (

    select
        event_lines.event_id,
        event_lines.source_file,
        event_lines.line_number,
        row_number() over (
            partition by event_lines.event_id
            order by event_lines.source_file, event_lines.line_number
        ) as occurrence

    from event_lines

    semi join repeated_events
        on event_lines.event_id = repeated_events.event_id

)

select *

from ranked_lines

where occurrence > 1
