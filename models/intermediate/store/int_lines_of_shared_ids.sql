with

suspect_lines as (

    select * from {{ ref('int_lines_of_suspect_ids') }}

),

folders as (

    select * from {{ ref('int_folders_of_suspect_ids') }}

),

copies as (

    select * from {{ ref('int_copies_of_suspect_ids') }}

),

-- Each conversation, identified by the first of its folders.
held_conversations as (

    select
        copies.conversation_id,
        copies.folder,
        min(
            struct_pack(
                started_at := coalesce(folders.started_at, 'infinity'),
                folder := folders.folder
            )
        ) as beginning,
        -- Of several copies, one with an existing manifest is the most reliable.
        arg_min(
            folders.experiment_id,
            struct_pack(
                is_loose := not folders.has_manifest,
                is_missing := folders.is_missing,
                started_at := coalesce(folders.started_at, 'infinity'),
                folder := folders.folder
            )
        ) as experiment_id,
        arg_min(
            folders.start_event_id,
            struct_pack(
                started_at := coalesce(folders.started_at, 'infinity'),
                folder := folders.folder
            )
        ) as start_event_id,
        bool_or(folders.start_event_id is not null) as has_start

    from copies

    inner join folders
        on
            copies.conversation_id = folders.conversation_id
            and copies.other_folder = folders.folder

    group by
        copies.conversation_id,
        copies.folder

),

ranked_conversations as (

    select distinct
        conversation_id,
        beginning,
        experiment_id,
        start_event_id,
        dense_rank() over (partition by conversation_id order by beginning) as id_rank,
        dense_rank() over (partition by conversation_id, experiment_id order by beginning)
            as experiment_rank

    from held_conversations

    where has_start

),

shared_ids as (

    select *

    from ranked_conversations

    qualify max(id_rank) over (partition by conversation_id) > 1

),

-- The first keeps the id, so that it does not change when another conversation is added.
shown_conversations as (

    select
        shared_ids.*,
        case
            when shared_ids.id_rank = 1 then shared_ids.conversation_id
            else
                shared_ids.conversation_id || '@' || shared_ids.experiment_id
                || if(
                    shared_ids.experiment_rank > 1,
                    '.' || left(cast(shared_ids.start_event_id as varchar), 8),
                    ''
                )
        end as shown_id,
        firsts.experiment_id as first_experiment_id

    from shared_ids

    inner join shared_ids as firsts
        on
            shared_ids.conversation_id = firsts.conversation_id
            and firsts.id_rank = 1

),

-- Lines without a start that no other folder has belong to the conversation that started last.
placed_folders as (

    select
        folders.conversation_id,
        folders.folder,
        shown_conversations.shown_id,
        shown_conversations.id_rank,
        shown_conversations.experiment_id,
        shown_conversations.first_experiment_id,
        shown_conversations.start_event_id

    from folders

    inner join held_conversations
        on
            folders.conversation_id = held_conversations.conversation_id
            and folders.folder = held_conversations.folder

    inner join shown_conversations
        on folders.conversation_id = shown_conversations.conversation_id

    where
        not held_conversations.has_start
        or held_conversations.beginning = shown_conversations.beginning

    qualify
        row_number() over (
            partition by folders.conversation_id, folders.folder
            order by
                struct_extract(shown_conversations.beginning, 'started_at')
                <= folders.first_event_at desc,
                if(
                    struct_extract(shown_conversations.beginning, 'started_at')
                    <= folders.first_event_at,
                    -shown_conversations.id_rank,
                    shown_conversations.id_rank
                ) asc
        ) = 1

),

shown_folders as (

    select
        *,
        list_sort(list(folder) over (partition by shown_id)) as folders

    from placed_folders

)

select
    suspect_lines.line_id as event_id,
    suspect_lines.event_type,
    shown_folders.shown_id as conversation_id,
    suspect_lines.conversation_id as logged_conversation_id,
    suspect_lines.experiment_id,
    suspect_lines.turn_number,
    suspect_lines.agent_id,
    suspect_lines.timestamp,
    suspect_lines.event_date,
    suspect_lines.event_data,
    suspect_lines.source_file,
    suspect_lines.line_number,
    suspect_lines.line_position,
    suspect_lines.is_archived,
    suspect_lines.archived_experiment_id,
    suspect_lines.is_duplicate,
    shown_folders.id_rank = 1 as is_first,
    shown_folders.experiment_id as shown_experiment_id,
    shown_folders.first_experiment_id,
    shown_folders.start_event_id,
    shown_folders.folders

from suspect_lines

inner join shown_folders
    on
        suspect_lines.conversation_id = shown_folders.conversation_id
        and suspect_lines.folder = shown_folders.folder
