with

event_lines as not materialized (

    select * from {{ ref('int_event_lines') }}

),

duplicate_lines as (

    select * from {{ ref('int_duplicate_lines') }}

),

starts as (

    select
        event_lines.conversation_id,
        {{ home_folder('event_lines.source_file') }} as folder,
        coalesce(duplicate_lines.event_id, event_lines.event_id) as event_id

    from event_lines

    left join duplicate_lines
        on
            event_lines.source_file = duplicate_lines.source_file
            and event_lines.line_position = duplicate_lines.line_position

    where
        event_lines.line_kind = 'event'
        and event_lines.event_type = 'ConversationStartEvent'
        and event_lines.conversation_id is not null

),

-- Copies begin with the same line, so there are usually none.
suspects as (

    select conversation_id

    from starts

    group by conversation_id

    having count(distinct folder) > 1 and count(distinct event_id) > 1

)

select
    event_lines.event_id as line_id,
    coalesce(duplicate_lines.event_id, event_lines.event_id) as event_id,
    event_lines.event_type,
    event_lines.conversation_id,
    event_lines.experiment_id,
    event_lines.turn_number,
    event_lines.agent_id,
    event_lines.timestamp,
    event_lines.event_date,
    event_lines.event_data,
    event_lines.source_file,
    event_lines.line_number,
    event_lines.line_position,
    event_lines.is_archived,
    event_lines.archived_experiment_id,
    duplicate_lines.source_file is not null as is_duplicate,
    {{ home_folder('event_lines.source_file') }} as folder

from event_lines

semi join suspects
    on event_lines.conversation_id = suspects.conversation_id

left join duplicate_lines
    on
        event_lines.source_file = duplicate_lines.source_file
        and event_lines.line_position = duplicate_lines.line_position

where event_lines.line_kind = 'event'
