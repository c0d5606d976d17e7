{{
    config(
        materialized = 'event_store',
        meta = {'reads': 'manifest'},
        incremental_strategy = 'delete+insert',
        unique_key = 'source_file',
        full_refresh = false,
        contract = {'enforced': true},
        pre_hook = "{% if is_incremental() and has_plugin() %}{{ drop_archived_files(this, ref('stg_archive__lines')) }}{% endif %}",
    )
}}

-- Expressions that mend a manifest are nested too deeply for the linter.
-- noqa: disable=PRS
-- The changed manifests, which the materialization has listed.
-- depends_on: {{ ref('stg_pidgin__files') }}, {{ ref('stg_archive__lines') }}
with

changed_files as (

    select * from temp.read_files

),

contents as (

    select
        filename as source_file,
        {{ event_document('try(decode(content))') }} as content

    from {{ source('pidgin', 'manifests') }}

    where filename != 'dbt_project.yml'

),

documents as (

    select
        source_file,
        {{ mended_manifest('content') }} as manifest

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

-- A manifest that was deleted after it was listed keeps its earlier row.
inner join documents
    on changed_files.source_file = documents.source_file
