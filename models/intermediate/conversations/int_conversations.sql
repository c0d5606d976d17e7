with

conversation_files as (

    select * from {{ ref('int_conversation_files') }}

),

manifests as (

    select * from {{ ref('int_manifests') }}

),

missing_files as (

    select * from {{ ref('int_missing_files') }}

),

lines_of_shared_ids as (

    select * from {{ ref('int_lines_of_shared_ids') }}

),

definitions as (

    select * from {{ ref('int_definitions') }}

),

conversations as (

    select
        conversation_files.conversation_id,
        arg_min(
            conversation_files.source_file,
            struct_pack(
                is_missing := missing_files.source_file is not null,
                file_order := conversation_files.file_order
            )
        ) as first_file,
        cast(sum(conversation_files.event_count) as bigint) as event_count,
        min(conversation_files.logged_experiment_id) as logged_experiment_id,
        min(conversation_files.first_event_at) as first_event_at,
        max(conversation_files.last_event_at) as last_event_at,
        bool_and(conversation_files.is_archived) as is_archived,
        min(conversation_files.archived_experiment_id) as archived_experiment_id,
        sum(hash(conversation_files.content_hash, conversation_files.file_order)) as content_hash,
        any_value(conversation_files.event_state) as event_state

    from conversation_files

    left join missing_files
        on conversation_files.source_file = missing_files.source_file

    group by conversation_files.conversation_id

),

-- Conversations that share their id with another, and where each of them lies.
shared_ids as (

    select distinct
        conversation_id,
        logged_conversation_id,
        shown_experiment_id as experiment_id,
        folders,
        hash(is_first, first_experiment_id, start_event_id) as content_hash

    from lines_of_shared_ids

),

folders as (

    select
        conversations.*,
        coalesce(shared_ids.logged_conversation_id, conversations.conversation_id)
            as logged_conversation_id,
        shared_ids.experiment_id as shared_id_experiment_id,
        shared_ids.folders as shared_id_folders,
        shared_ids.content_hash as shared_id_hash,
        {{ home_folder('conversations.first_file') }} as folder,
        {{ experiment_id_from_path('conversations.first_file', sql_string(pidgin_output_dir())) }}
            as folder_experiment_id,
        {{ embedded_experiment_id(
            'coalesce(shared_ids.logged_conversation_id, conversations.conversation_id)'
        ) }} as embedded_experiment_id

    from conversations

    left join shared_ids
        on conversations.conversation_id = shared_ids.conversation_id

),

listed_conversations as (

    select
        manifests.source_file as manifest_file,
        manifests.is_missing,
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

-- A conversation may be listed by several copies of a manifest: of those that are still there,
-- the one beside its log speaks for it, then the newest. Whether one that lies elsewhere means
-- this conversation or another of the same id, nobody can tell.
claims as (

    select
        folders.conversation_id,
        listed_conversations.experiment_id,
        listed_conversations.last_updated_at,
        listed_conversations.manifest_status,
        listed_conversations.manifest_error,
        row_number() over (
            partition by folders.conversation_id
            order by
                listed_conversations.is_missing asc,
                listed_conversations.folder = folders.folder desc,
                listed_conversations.updated_at desc nulls last,
                listed_conversations.manifest_file asc
        ) as claim_rank

    from listed_conversations

    inner join folders
        on listed_conversations.conversation_id = folders.logged_conversation_id

    where
        folders.shared_id_folders is null
        or list_contains(folders.shared_id_folders, listed_conversations.folder)

),

neighbouring_manifests as (

    select
        folder,
        experiment_id,
        logged_experiment_id

    from manifests

    where is_readable

),

memberships as (

    select
        folders.*,
        coalesce(
            folders.archived_experiment_id,
            folders.shared_id_experiment_id,
            claims.experiment_id,
            {{ named_experiment_id('folders.logged_experiment_id', 'neighbouring_manifests') }},
            {{ named_experiment_id('folders.embedded_experiment_id', 'neighbouring_manifests') }},
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

configs as (

    select
        experiment_id,
        arg_max(
            config, (not is_missing, coalesce(updated_at, '-infinity'), source_file)
        ) as config

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
        memberships.shared_id_hash,
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
