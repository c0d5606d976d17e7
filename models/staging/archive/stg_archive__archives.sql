{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'source_file',
        contract = {'enforced': true},
        pre_hook = '{% if is_incremental() %}{{ forget_missing_archives() }}{% endif %}',
        post_hook = '{{ warn_of_damaged_archives() }}',
    )
}}

{%- do list_archives() %}
{%- set listed_archives %}
    (
        select
            filename as source_file,
            size as size_bytes,
            last_modified as modified_at,
            cast(null as varchar) as problem

        from {{ source('archive', 'archives') }}

        where filename != 'dbt_project.yml'

        union all

        -- Without a size and a time, they are looked at by each build.
        select
            source_file,
            0 as size_bytes,
            to_timestamp(0) as modified_at,
            problem

        from (select unnest(getvariable('pidgin_archives_unreadable'), recursive := true))
    )
{%- endset %}
{%- set archives = changed_files(listed_archives, this) %}

with

changed_files as (

    {{ file_constants(archives) }}

),

checked_files as (

    select
        * exclude (problem),
        {{ archive_problem('source_file') }} as problem

    from changed_files

)

select
    source_file,
    size_bytes,
    modified_at,
    -- What could not be read, or not be checked, is looked at again by the next build.
    is_settled and problem is null and {{ has_plugin() | lower }}
        as is_settled,
    problem,
    {{ reading_version() }} as reading_version

from checked_files
