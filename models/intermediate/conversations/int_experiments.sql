with

conversations as (

    select * from {{ ref('int_conversations') }}

),

manifests as (

    select * from {{ ref('int_manifests') }}

),

definitions as (

    select * from {{ ref('int_definitions') }}

),

-- Copies of a folder carry copies of its manifest: a readable one that is still there, the newest,
-- speaks.
ranked_manifests as (

    select
        *,
        row_number() over (
            partition by experiment_id
            order by
                is_readable desc,
                is_missing asc,
                updated_at desc nulls last,
                source_file asc
        ) as manifest_rank

    from manifests

),

experiment_manifests as (

    select *

    from ranked_manifests

    where manifest_rank = 1

),

experiment_conversations as (

    select
        experiment_id,
        count(*) as conversation_count,
        bool_and(experiment_id_source = 'folder') as is_from_folder,
        bool_and(is_archived) as is_archived,
        -- Hashed once more, because a lake keeps a sum of hashes as a rounded number.
        hash(sum(hash(conversation_id, fingerprint))) as content_hash

    from conversations

    group by experiment_id

)

select
    coalesce(experiment_manifests.experiment_id, experiment_conversations.experiment_id)
        as experiment_id,
    experiment_manifests.name,
    experiment_manifests.created_at as manifest_created_at,
    experiment_manifests.known_at as manifest_known_at,
    experiment_manifests.updated_at as manifest_updated_at,
    experiment_manifests.status as manifest_status,
    experiment_manifests.error as manifest_error,
    experiment_manifests.planned_conversations,
    experiment_manifests.config,
    case
        when experiment_manifests.is_readable then 'readable'
        when not experiment_manifests.is_readable then 'unreadable'
        else 'missing'
    end as manifest_state,
    coalesce(experiment_conversations.conversation_count, 0) as conversation_count,
    experiment_manifests.experiment_id is null
    and experiment_conversations.is_from_folder as is_synthetic,
    coalesce(experiment_conversations.is_archived, false) as is_archived,
    coalesce(experiment_conversations.content_hash, 0) as content_hash,
    hash(
        experiment_conversations.content_hash,
        experiment_manifests.name,
        experiment_manifests.created_at,
        experiment_manifests.status,
        experiment_manifests.error,
        experiment_manifests.planned_conversations,
        experiment_manifests.config,
        experiment_manifests.is_readable,
        experiment_conversations.is_archived,
        definitions.content_hash
    ) as fingerprint

from experiment_manifests

full join experiment_conversations
    on experiment_manifests.experiment_id = experiment_conversations.experiment_id

cross join definitions
