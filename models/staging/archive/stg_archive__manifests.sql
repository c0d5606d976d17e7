-- Expressions that mend a manifest are nested too deeply for the linter.
-- noqa: disable=PRS
with

archived_lines as (

    select * from {{ ref('stg_archive__lines') }}

),

contents as (

    select
        *,
        {{ event_document('try(decode(content))') }} as manifest

    from archived_lines

    where line_kind = 'manifest'

),

documents as (

    select
        *,
        {{ mended_manifest('manifest') }} as document

    from contents

)

select
    source_file,
    if(json_type(document) = 'OBJECT', document, null) as manifest,
    size_bytes,
    modified_at

from documents
