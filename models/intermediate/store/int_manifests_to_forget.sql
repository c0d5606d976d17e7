{{
    config(
        materialized = 'table_function',
        parameters = ['conversation_ids', 'experiment_ids'],
        contract = {'enforced': false},
    )
}}

with

manifests as (

    select * from {{ ref('stg_pidgin__manifests') }}

),

shortened_manifests as (

    select
        source_file,
        manifest as whole_manifest,
        {{ manifest_without('manifest', 'source_file', 'conversation_ids', 'experiment_ids') }}
            as manifest

    from manifests

)

select
    source_file,
    manifest

from shortened_manifests

where manifest is distinct from whole_manifest
