-- A returned row is a log for which event_files disagrees with a recount of the event store,
-- the events, the duplicates and the rejected lines, or does not add up. If one were
-- returned, lines of that log would be missing from the analysis, or be in it twice.

with

event_files as (

    select * from {{ ref('event_files') }}

),

counted_lines as (

    select
        source_file,
        case line_kind
            when 'file' then 'file'
            when 'pending' then 'pending'
            when 'forgotten' then 'forgotten'
            else 'line'
        end as counted_as

    from {{ ref('int_event_lines') }}

    union all

    select
        source_file,
        'event' as counted_as

    from {{ ref('events') }}

    union all

    select
        source_file,
        'duplicate' as counted_as

    from {{ ref('int_duplicate_lines') }}

    union all

    select
        source_file,
        'rejected' as counted_as

    from {{ ref('rejected_lines') }}

),

recounted_files as (

    select
        source_file,
        count(*) filter (where counted_as = 'file') as file_count,
        count(*) filter (where counted_as in ('line', 'forgotten')) as line_count,
        count(*) filter (where counted_as = 'event') as event_count,
        count(*) filter (where counted_as = 'duplicate') as duplicate_count,
        count(*) filter (where counted_as = 'rejected') as rejected_count,
        count(*) filter (where counted_as = 'pending') as pending_count,
        count(*) filter (where counted_as = 'forgotten') as forgotten_count

    from counted_lines

    group by source_file

)

select
    coalesce(event_files.source_file, recounted_files.source_file) as source_file,
    event_files.line_count,
    event_files.event_count,
    event_files.duplicate_count,
    event_files.rejected_count,
    recounted_files.line_count as recounted_line_count,
    recounted_files.event_count as recounted_event_count,
    recounted_files.duplicate_count as recounted_duplicate_count,
    recounted_files.rejected_count as recounted_rejected_count

from event_files

full join recounted_files
    on event_files.source_file = recounted_files.source_file

where
    -- A log that could not be read has neither rows nor figures.
    coalesce(recounted_files.file_count, 0) != if(event_files.line_count is null, 0, 1)
    or event_files.line_count is distinct from recounted_files.line_count
    or event_files.event_count is distinct from recounted_files.event_count
    or event_files.duplicate_count is distinct from recounted_files.duplicate_count
    or event_files.rejected_count is distinct from recounted_files.rejected_count
    or event_files.pending_count is distinct from recounted_files.pending_count
    or event_files.forgotten_count is distinct from recounted_files.forgotten_count
    or event_files.line_count
    != event_files.event_count + event_files.duplicate_count + event_files.rejected_count
    + event_files.forgotten_count
