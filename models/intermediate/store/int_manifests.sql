with recursive

manifests as (

    select * from {{ ref('stg_pidgin__experiment_manifests') }}

),

missing_files as (

    select * from {{ ref('int_missing_files') }}

),

-- For example a folder that was copied to start another experiment. Usually there are none.
ambiguous_ids as (

    select experiment_id

    from manifests

    where is_readable

    group by experiment_id

    having
        count(distinct folder) > 1
        and (count(distinct created_at) > 1 or count(distinct name) > 1)

),

ambiguous_manifests as (

    select
        manifests.source_file,
        manifests.folder,
        manifests.experiment_id,
        manifests.name,
        manifests.created_at,
        strftime(timezone('UTC', manifests.created_at), '%Y-%m-%dT%H:%M:%S') as creation,
        json_keys(manifests.conversations) as conversation_ids

    from manifests

    semi join ambiguous_ids
        on manifests.experiment_id = ambiguous_ids.experiment_id

    where manifests.is_readable

),

-- A copy has the same time of creation as its original, and either the same name or some of the
-- same conversations.
copies as (

    select
        manifests.source_file,
        other_manifests.source_file as other_file

    from ambiguous_manifests as manifests

    inner join ambiguous_manifests as other_manifests
        on manifests.experiment_id = other_manifests.experiment_id

    where
        coalesce(manifests.created_at = other_manifests.created_at, true)
        and (
            coalesce(manifests.name = other_manifests.name, true)
            or list_has_any(manifests.conversation_ids, other_manifests.conversation_ids)
        )

),

-- Also copies of copies.
all_copies as (

    select
        source_file,
        other_file

    from copies

    union

    select
        all_copies.source_file,
        copies.other_file

    from all_copies

    inner join copies
        on all_copies.other_file = copies.source_file

),

originals as (

    select
        all_copies.source_file,
        manifests.source_file as original_file,
        manifests.experiment_id,
        manifests.name,
        manifests.created_at,
        manifests.creation

    from all_copies

    inner join ambiguous_manifests as manifests
        on all_copies.other_file = manifests.source_file

    qualify
        row_number() over (
            partition by all_copies.source_file
            order by manifests.created_at asc nulls last, manifests.source_file asc
        ) = 1

),

ranked_experiments as (

    select
        *,
        row_number() over (
            partition by experiment_id
            order by created_at asc nulls last, original_file asc
        ) as id_rank,
        row_number() over (
            partition by experiment_id, creation
            order by created_at asc nulls last, original_file asc
        ) as creation_rank

    from originals

    where source_file = original_file

),

-- The oldest keeps the id, so that it does not change when another experiment is added.
shown_experiments as (

    select
        original_file,
        if(
            id_rank = 1,
            experiment_id,
            experiment_id || '@' || concat_ws(
                ' ', creation, if(creation_rank > 1 or creation is null, name, null)
            )
        ) as experiment_id

    from ranked_experiments

)

select
    manifests.source_file,
    manifests.folder,
    coalesce(shown_experiments.experiment_id, manifests.experiment_id) as experiment_id,
    manifests.experiment_id as logged_experiment_id,
    manifests.is_readable,
    missing_files.source_file is not null as is_missing,
    manifests.name,
    manifests.status,
    manifests.error,
    manifests.planned_conversations,
    manifests.config,
    manifests.conversations,
    manifests.created_at,
    manifests.known_at,
    manifests.updated_at

from manifests

left join originals
    on manifests.source_file = originals.source_file

left join shown_experiments
    on originals.original_file = shown_experiments.original_file

left join missing_files
    on manifests.source_file = missing_files.source_file
