{{ config(materialized = 'view') }}

with

event_lines as (

    select * from {{ ref('int_event_lines') }}

),

duplicate_lines as (

    select * from {{ ref('int_duplicate_lines') }}

),

lines_of_shared_ids as (

    select * from {{ ref('int_lines_of_shared_ids') }}

),

files as (

    select sum(hash(source_file, line_number, size_bytes, modified_at)) as content_hash

    from event_lines

    where line_kind in ('file', 'forgotten')

),

duplicates as (

    select sum(hash(source_file, line_position)) as content_hash

    from duplicate_lines

),

shared_ids as (

    select sum(hash(source_file, line_number, conversation_id)) as content_hash

    from lines_of_shared_ids

)

select
    hash(
        files.content_hash,
        duplicates.content_hash,
        shared_ids.content_hash,
        {{ as_of_moment() or 'null' }}
    ) as event_state

from files

cross join duplicates

cross join shared_ids
