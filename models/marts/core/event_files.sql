{{ config(materialized = 'view') }}

with

event_lines as (

    select * from {{ ref('int_event_lines') }}

),

duplicate_lines as (

    select * from {{ ref('int_duplicate_lines') }}

),

unreadable_files as (

    select * from {{ ref('stg_pidgin__files') }}

    where problem is not null

),

duplicate_counts as (

    select
        source_file,
        count(*) as duplicate_count

    from duplicate_lines

    group by source_file

),

line_counts as (

    select
        source_file,
        max(size_bytes) as size_bytes,
        max(modified_at) as modified_at,
        count(*) filter (where line_kind in ('event', 'rejected', 'forgotten')) as line_count,
        count(*) filter (where line_kind = 'event') as readable_count,
        count(*) filter (where line_kind = 'rejected') as rejected_count,
        count(*) filter (where line_kind = 'pending') as pending_count,
        count(*) filter (where line_kind = 'forgotten') as forgotten_count,
        bool_and(is_archived) as is_archived,
        any_value(reason) filter (where line_kind = 'file') as problem

    from event_lines

    group by source_file

)

select
    coalesce(line_counts.source_file, unreadable_files.source_file) as source_file,
    line_counts.size_bytes,
    line_counts.modified_at,
    line_counts.line_count,
    line_counts.readable_count - coalesce(duplicate_counts.duplicate_count, 0) as event_count,
    if(line_counts.source_file is null, null, coalesce(duplicate_counts.duplicate_count, 0))
        as duplicate_count,
    line_counts.rejected_count,
    line_counts.pending_count,
    line_counts.forgotten_count,
    coalesce(line_counts.is_archived, false) as is_archived,
    coalesce(unreadable_files.problem, line_counts.problem) as problem

from line_counts

left join duplicate_counts
    on line_counts.source_file = duplicate_counts.source_file

full join unreadable_files
    on line_counts.source_file = unreadable_files.source_file
