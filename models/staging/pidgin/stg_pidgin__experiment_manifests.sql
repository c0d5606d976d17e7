{%- set as_of = as_of_moment() %}

with

stored_manifests as (

    select * from {{ ref('stg_pidgin__manifests') }}

),

archived_manifests as (

    select * from {{ ref('stg_archive__manifests') }}

),

manifests as (

    select
        source_file,
        manifest,
        modified_at

    from stored_manifests

    where {{ is_in_output_dir('source_file') }}

    union all

    select
        archived_manifests.source_file,
        archived_manifests.manifest,
        archived_manifests.modified_at

    from archived_manifests

    -- If it was read again later, the version in the store counts.
    anti join stored_manifests
        on archived_manifests.source_file = stored_manifests.source_file

),

fields as (

    select
        source_file,
        manifest,
        modified_at,
        {{ folder_of('source_file') }} as folder,
        {{ experiment_id_from_path('source_file', sql_string(pidgin_output_dir())) }}
            as folder_experiment_id,
        json_transform(manifest, '{
            "experiment_id": "VARCHAR", "name": "VARCHAR", "status": "VARCHAR", "error": "VARCHAR",
            "created_at": "VARCHAR", "started_at": "VARCHAR", "completed_at": "VARCHAR",
            "total_conversations": "VARCHAR"
        }') as entries,
        json_extract(manifest, '$.config') as config,
        json_extract(manifest, '$.conversations') as conversations

    from manifests

),

last_updates as (

    select
        fields.source_file,
        -- Times of manifests were UTC before Pidgin wrote their offset, unlike those of events.
        max({{ event_time("json_extract_string(conversation.value, '$.last_updated')", 'UTC') }})
            as last_updated_at

    from fields, json_each(fields.conversations) as conversation

    where json_type(fields.conversations) = 'OBJECT'

    group by fields.source_file

),

experiment_manifests as (

    select
        fields.source_file,
        fields.folder,
        coalesce(nullif(fields.entries['experiment_id'], ''), fields.folder_experiment_id)
            as experiment_id,
        fields.manifest is not null as is_readable,
        fields.entries['name'] as name,
        fields.entries['status'] as status,
        fields.entries['error'] as error,
        {{ logged_count("fields.entries['total_conversations']") }} as planned_conversations,
        if(json_type(fields.config) = 'OBJECT', fields.config, null) as config,
        if(json_type(fields.conversations) = 'OBJECT', fields.conversations, null) as conversations,
        {{ event_time("fields.entries['created_at']", 'UTC') }} as created_at,
        coalesce(created_at, fields.modified_at) as known_at,
        greatest(
            {{ event_time("fields.entries['created_at']", 'UTC') }},
            {{ event_time("fields.entries['started_at']", 'UTC') }},
            {{ event_time("fields.entries['completed_at']", 'UTC') }},
            last_updates.last_updated_at
        ) as updated_at

    from fields

    left join last_updates
        on fields.source_file = last_updates.source_file

    -- Leaves out a manifest.json of another program. One that cannot be read may be Pidgin's.
    where
        fields.manifest is null
        or fields.entries['experiment_id'] is not null

)

select
    source_file,
    folder,
    experiment_id,
    is_readable,
    name,
    {{ unchanged_since('updated_at', 'status') }} as status,
    {{ unchanged_since('updated_at', 'error') }} as error,
    planned_conversations,
    config,
    conversations,
    created_at,
    known_at,
    updated_at

from experiment_manifests
{%- if as_of %}

where known_at <= {{ as_of }}
{%- endif %}
