{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'source_file',
        contract = {'enforced': true},
        pre_hook = [
            '{{ list_archives() }}',
            '{% if is_incremental() %}{{ delete_missing_archives() }}{% endif %}',
        ],
        post_hook = '{{ warn_of_damaged_archives() }}',
    )
}}

with

readable_archives as (

    select
        filename as source_file,
        size as size_bytes,
        last_modified as modified_at

    from {{ source('archive', 'archives') }}

    where filename != 'dbt_project.yml'

),

-- Without a size and a time, each build checks them.
unreadable_archives as (

    select
        unnest(getvariable('pidgin_archives_unreadable')).source_file as source_file,
        0 as size_bytes,
        to_timestamp(0) as modified_at

),

archives as (

    select * from readable_archives

    union all

    select * from unreadable_archives

),

changed_archives as (

    select archives.*

    from archives
    {{ without_read_files('archives') }}

),

checked_archives as (

    select
        *,
        {{ archive_problem('source_file') }} as problem

    from changed_archives

)

select
    source_file,
    size_bytes,
    modified_at,
    -- What could not be read or checked is checked again by the next build.
    {{ is_settled('modified_at') }} and problem is null and {{ has_plugin() | lower }}
        as is_settled,
    problem,
    {{ reading_version() }} as reading_version

from checked_archives
