{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'delete+insert',
        unique_key = 'source_file',
        full_refresh = false,
        contract = {'enforced': true},
        pre_hook = "{% if is_incremental() and has_plugin() %}{{ drop_archived_files(this, ref('stg_archive__lines')) }}{% endif %}",
    )
}}

{%- set manifests = changed_files(
    ref('stg_pidgin__files'),
    this,
    "file_kind = 'manifest' and problem is null",
    ref('stg_archive__lines'),
) %}
{%- do note_what_to_read(manifests) %}
{%- set paths = manifests | map(attribute='path') | list %}
{%- do set_named_files('pidgin_changed_manifests', paths) if execute %}
{%- set mends_keys = manifests_repeat_keys(
    "(select try(decode(content)) as content from " ~ source('pidgin', 'manifests')
    ~ " where filename != 'dbt_project.yml')"
) if manifests else false %}

with

changed_files as (

    {{ file_constants(manifests) }}

),

contents as (

    select
        filename as source_file,
        try(decode(content)) as content

    from {{ source('pidgin', 'manifests') }}

    where filename != 'dbt_project.yml'

),

documents as (

    select
        source_file,
        {{ manifest_document('content', mends_keys) }} as manifest

    from contents

)

select
    changed_files.source_file,
    if(
        json_type(documents.manifest) = 'OBJECT',
        {{ manifest_without_forgotten('documents.manifest', 'documents.source_file') }},
        null
    ) as manifest,
    changed_files.size_bytes,
    changed_files.modified_at,
    changed_files.is_settled,
    {{ reading_version() }} as reading_version

from changed_files

-- A manifest that went away since it was listed keeps the row that it had.
inner join documents
    on changed_files.source_file = documents.source_file
