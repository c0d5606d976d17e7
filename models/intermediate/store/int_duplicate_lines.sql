with

event_lines as not materialized (

    select * from {{ ref('int_event_lines') }}

),

missing_files as (

    select * from {{ ref('int_missing_files') }}

),

-- Lines that say the same have the same envelope, which is cheap to compare. It is compared as
-- logged, so that a later way of reading does not matter.
repeated_envelopes as (

    select {{ envelope_hash('event_lines') }} as envelope

    from event_lines

    where event_lines.line_kind = 'event'

    group by envelope

    having count(*) > 1

),

similar_lines as (

    select
        {{ envelope_hash('event_lines') }} as envelope,
        event_lines.event_id,
        event_lines.source_file,
        event_lines.line_position

    from event_lines

    semi join repeated_envelopes
        on {{ envelope_hash('event_lines') }} = repeated_envelopes.envelope

    where event_lines.line_kind = 'event'

),

-- Most duplicates are identical lines. Only the content of the others is compared, once each.
other_envelopes as (

    select envelope

    from similar_lines

    group by envelope

    having min(event_id) != max(event_id)

),

other_lines as (

    select similar_lines.*

    from similar_lines

    semi join other_envelopes
        on similar_lines.envelope = other_envelopes.envelope

    qualify
        row_number() over (
            partition by similar_lines.event_id
            order by similar_lines.source_file, similar_lines.line_position
        ) = 1

),

other_documents as (

    select
        other_lines.envelope,
        other_lines.event_id,
        event_lines.event_data

    from event_lines

    inner join other_lines
        on
            event_lines.source_file = other_lines.source_file
            and event_lines.line_position = other_lines.line_position

),

other_statements as (

    select
        other_documents.envelope,
        other_documents.event_id,
        md5(
            string_agg(
                {{ json_node_text('json_node') }},
                chr(10)
                order by {{ json_node_text('json_node') }}
            )
        ) as content_hash

    from other_documents, json_tree(other_documents.event_data) as json_node

    group by
        other_documents.envelope,
        other_documents.event_id

),

equal_statements as (

    select
        event_id,
        min(event_id) over (partition by envelope, content_hash) as first_event_id

    from other_statements

),

copies as (

    select
        similar_lines.event_id,
        similar_lines.source_file,
        similar_lines.line_position,
        coalesce(equal_statements.first_event_id, similar_lines.event_id) as statement_id,
        missing_files.source_file is not null as is_missing

    from similar_lines

    left join equal_statements
        on similar_lines.event_id = equal_statements.event_id

    left join missing_files
        on similar_lines.source_file = missing_files.source_file

),

-- The event is one whose file still exists; of several, the first by name.
ranked_lines as (

    select
        first_value(event_id) over (
            partition by statement_id
            order by is_missing, source_file, line_position
        ) as event_id,
        source_file,
        line_position,
        row_number() over (
            partition by statement_id
            order by is_missing, source_file, line_position
        ) as occurrence

    from copies

)

select *

from ranked_lines

where occurrence > 1
