with

conversation_files as (

    select * from {{ ref('int_conversation_files') }}

),

manifests as (

    select * from {{ ref('stg_pidgin__experiment_manifests') }}

),

end_reasons as (

    select * from {{ ref('end_reasons') }}

),

incident_types as (

    select * from {{ ref('incident_types') }}

),

linguistic_markers as (

    select * from {{ ref('linguistic_markers') }}

),

convergence_profiles as (

    select * from {{ ref('convergence_profiles') }}

),

conversations as (

    select
        conversation_id,
        arg_min(source_file, file_order) as first_file,
        sum(event_count) as event_count,
        min(logged_experiment_id) as logged_experiment_id,
        min(first_event_at) as first_event_at,
        max(last_event_at) as last_event_at,
        bool_and(is_archived) as is_archived,
        min(archived_experiment_id) as archived_experiment_id,
        sum(hash(content_hash, file_order)) as content_hash,
        any_value(event_state) as event_state

    from conversation_files

    group by conversation_id

),

folders as (

    select
        *,
        regexp_replace({{ folder_of('first_file') }}, '[/\\]events$', '') as folder,
        {{ experiment_id_from_path('first_file', sql_string(pidgin_output_dir())) }}
            as folder_experiment_id,
        nullif(
            regexp_extract(
                conversation_id, '^conv_((?:exp|experiment)_[0-9a-f]{8})_[0-9a-f]{8}$', 1
            ),
            ''
        ) as embedded_experiment_id

    from conversations

),

listed_conversations as (

    select
        manifests.source_file as manifest_file,
        manifests.folder,
        manifests.experiment_id,
        manifests.updated_at,
        conversation.key as conversation_id,
        {{ event_time("json_extract_string(conversation.value, '$.last_updated')", 'UTC') }}
            as last_updated_at,
        json_extract_string(conversation.value, '$.status') as manifest_status,
        json_extract_string(conversation.value, '$.error') as manifest_error

    from manifests, json_each(manifests.conversations) as conversation

),

-- A conversation may be listed by several copies of a manifest: the one beside its log
-- speaks for it, then the newest.
claims as (

    select
        listed_conversations.*,
        row_number() over (
            partition by listed_conversations.conversation_id
            order by
                listed_conversations.folder = folders.folder desc,
                listed_conversations.updated_at desc nulls last,
                listed_conversations.manifest_file asc
        ) as claim_rank

    from listed_conversations

    inner join folders
        on listed_conversations.conversation_id = folders.conversation_id

),

neighbouring_manifests as (

    select
        folder,
        min(experiment_id) as experiment_id

    from manifests

    where is_readable

    group by folder

),

memberships as (

    select
        folders.*,
        coalesce(
            folders.archived_experiment_id,
            claims.experiment_id,
            folders.logged_experiment_id,
            folders.embedded_experiment_id,
            neighbouring_manifests.experiment_id,
            folders.folder_experiment_id
        ) as experiment_id,
        case
            when claims.experiment_id is not null then 'manifest'
            when folders.logged_experiment_id is not null then 'event'
            when folders.embedded_experiment_id is not null then 'conversation id'
            else 'folder'
        end as experiment_id_source,
        {{ unchanged_since('claims.last_updated_at', 'claims.manifest_status') }}
            as manifest_status,
        {{ unchanged_since('claims.last_updated_at', 'claims.manifest_error') }}
            as manifest_error

    from folders

    left join claims
        on
            folders.conversation_id = claims.conversation_id
            and claims.claim_rank = 1

    left join neighbouring_manifests
        on folders.folder = neighbouring_manifests.folder

),

-- What people may correct in the seeds, set or write in SQL changes what follows from the same
-- events.
definitions as (

    select
        hash(
            (select sum(hash(end_reasons)) from end_reasons),
            (select sum(hash(incident_types)) from incident_types),
            (select sum(hash(linguistic_markers)) from linguistic_markers),
            (select sum(hash(convergence_profiles)) from convergence_profiles),
            {{ sql_string(pattern_thresholds()) }},
            {{ computing_version() }}
        ) as content_hash

),

configs as (

    select
        experiment_id,
        arg_max(config, (coalesce(updated_at, '-infinity'), source_file)) as config

    from manifests

    where config is not null

    group by experiment_id

)

select
    memberships.conversation_id,
    memberships.experiment_id,
    memberships.experiment_id_source,
    memberships.first_file,
    memberships.event_count,
    memberships.first_event_at,
    memberships.last_event_at,
    memberships.manifest_status,
    memberships.manifest_error,
    configs.config as experiment_config,
    memberships.is_archived,
    memberships.event_state,
    hash(
        memberships.content_hash,
        memberships.experiment_id,
        memberships.experiment_id_source,
        memberships.manifest_status,
        memberships.manifest_error,
        configs.config,
        definitions.content_hash
    ) as fingerprint

from memberships

cross join definitions

left join configs
    on memberships.experiment_id = configs.experiment_id
