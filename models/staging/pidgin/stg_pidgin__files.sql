{{ config(materialized = 'table', pre_hook = '{{ list_output_files() }}') }}

with

readable_files as (

    select
        filename as source_file,
        size as size_bytes,
        last_modified as modified_at

    from {{ source('pidgin', 'files') }}

    where filename != 'dbt_project.yml'

),

unreadable_files as (

    select unnest(getvariable('pidgin_files_unreadable'), recursive := true)

),

unreadable_folders as (

    select
        unnest(getvariable('pidgin_unreadable_folders')) as source_file,
        'folder' as file_kind,
        'permission denied' as problem

),

files as (

    select * from readable_files

    union all by name

    select * from unreadable_files

    union all by name

    select * from unreadable_folders

)

select
    source_file,
    coalesce(
        file_kind,
        if(regexp_matches(source_file, '[/\\]manifest\.json$'), 'manifest', 'log')
    ) as file_kind,
    size_bytes,
    modified_at,
    problem

from files

order by source_file
