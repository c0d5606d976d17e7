with

event_lines as (

    select * from {{ ref('stg_pidgin__event_lines') }}

),

manifests as (

    select * from {{ ref('stg_pidgin__manifests') }}

),

stored_files as (

    select source_file

    from event_lines

    where
        line_kind = 'file'
        and {{ is_in_output_dir('source_file') }}

    union all

    select source_file

    from manifests

    where {{ is_in_output_dir('source_file') }}

),

files_on_disk as (

    select * from {{ ref('stg_pidgin__files') }}

)

select stored_files.source_file

from stored_files

anti join files_on_disk
    on stored_files.source_file = files_on_disk.source_file
