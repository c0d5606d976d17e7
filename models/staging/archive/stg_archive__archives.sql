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

{%- set archives = changed_files(source('archive', 'archives'), archive_pattern(), this) %}

with

changed_files as (

    {{ file_constants(archives) }}

),

checked_files as (

    select
        *,
        {{ archive_problem('source_file') }} as problem

    from changed_files

)

select
    source_file,
    size_bytes,
    modified_at,
    -- What could not be read, or not be checked, is looked at again by the next build.
    is_settled and problem is null and {{ has_python_function('archive_problem') | lower }}
        as is_settled,
    problem,
    {{ reading_version() }} as reading_version

from checked_files
