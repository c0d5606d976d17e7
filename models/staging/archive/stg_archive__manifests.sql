-- depends_on: {{ ref('stg_archive__archives') }}
{%- set mends_keys = manifests_repeat_keys(
    "(select try(decode(content)) as content from " ~ ref('stg_archive__lines')
    ~ " where line_kind = 'manifest')"
) if readable_archives() else false %}

with

archived_lines as (

    select * from {{ ref('stg_archive__lines') }}

),

documents as (

    select
        *,
        {{ manifest_document('try(decode(content))', mends_keys) }} as document

    from archived_lines

    where line_kind = 'manifest'

)

select
    source_file,
    if(json_type(document) = 'OBJECT', document, null) as manifest,
    size_bytes,
    modified_at

from documents
