with

archived_lines as (

    select * from {{ ref('stg_archive__lines') }}

),

documents as (

    select
        *,
        {{ manifest_document('try(decode(content))') }} as document

    from archived_lines

    where line_kind = 'manifest'

)

select
    source_file,
    if(json_type(document) = 'OBJECT', document, null) as manifest,
    size_bytes,
    modified_at

from documents
