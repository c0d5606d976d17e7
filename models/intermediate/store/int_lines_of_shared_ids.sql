with recursive

event_lines as not materialized (

    select * from {{ ref('int_event_lines') }}

),

duplicate_lines as (

    select * from {{ ref('int_duplicate_lines') }}

),

missing_files as (

    select * from {{ ref('int_missing_files') }}

),

manifests as (

    select * from {{ ref('int_manifests') }}

),

starts as (

    select
        event_lines.conversation_id,
        {{ home_folder('event_lines.source_file') }} as folder,
        coalesce(duplicate_lines.event_id, event_lines.event_id) as event_id

    from event_lines

    left join duplicate_lines
        on
            event_lines.source_file = duplicate_lines.source_file
            and event_lines.line_position = duplicate_lines.line_position

    where
        event_lines.line_kind = 'event'
        and event_lines.event_type = 'ConversationStartEvent'
        and event_lines.conversation_id is not null

),

-- Copies begin with the same line. So hardly ever are there any.
suspects as (

    select conversation_id

    from starts

    group by conversation_id

    having
        count(distinct folder) > 1
        and count(distinct event_id) > 1

),

suspect_lines as (

    select
        event_lines.* exclude (event_id),
        event_lines.event_id as line_id,
        coalesce(duplicate_lines.event_id, event_lines.event_id) as event_id,
        duplicate_lines.source_file is not null as is_duplicate,
        {{ home_folder('event_lines.source_file') }} as folder,
        event_lines.event_type = 'ConversationStartEvent' as is_start,
        if(
            is_start,
            json_extract_string(event_lines.event_data, [
                '$.agent_a_model', '$.agent_b_model', '$.agent_a.model', '$.agent_b.model'
            ]),
            null
        ) as models

    from event_lines

    semi join suspects
        on event_lines.conversation_id = suspects.conversation_id

    left join duplicate_lines
        on
            event_lines.source_file = duplicate_lines.source_file
            and event_lines.line_position = duplicate_lines.line_position

    where event_lines.line_kind = 'event'

),

folders as (

    select
        suspect_lines.conversation_id,
        suspect_lines.folder,
        min(suspect_lines.source_file) as first_file,
        {{ embedded_experiment_id('suspect_lines.conversation_id') }} as embedded_experiment_id,
        bool_and(missing_files.source_file is not null) as is_missing,
        min(suspect_lines.timestamp) as first_event_at,
        min(suspect_lines.timestamp) filter (where suspect_lines.is_start) as started_at,
        min(suspect_lines.experiment_id) as logged_experiment_id,
        min(suspect_lines.archived_experiment_id) as archived_experiment_id,
        first(
            struct_pack(
                event_id := suspect_lines.event_id,
                model_a := coalesce(suspect_lines.models[1], suspect_lines.models[3]),
                model_b := coalesce(suspect_lines.models[2], suspect_lines.models[4])
            )
            order by
                suspect_lines.timestamp nulls last,
                suspect_lines.source_file,
                suspect_lines.line_position
        ) filter (where suspect_lines.is_start) as first_start

    from suspect_lines

    left join missing_files
        on suspect_lines.source_file = missing_files.source_file

    group by
        suspect_lines.conversation_id,
        suspect_lines.folder

),

-- As in int_conversations, but by what stands in the folder itself.
memberships as (

    select
        folders.*,
        coalesce(manifests.is_readable, false) as has_manifest,
        coalesce(
            folders.archived_experiment_id,
            if(
                list_contains(json_keys(manifests.conversations), folders.conversation_id),
                manifests.experiment_id,
                null
            ),
            {{ named_experiment_id('folders.logged_experiment_id', 'manifests') }},
            {{ named_experiment_id('folders.embedded_experiment_id', 'manifests') }},
            if(manifests.is_readable, manifests.experiment_id, null),
            {{ experiment_id_from_path('folders.first_file', sql_string(pidgin_output_dir())) }}
        ) as experiment_id

    from folders

    left join manifests
        on folders.folder = manifests.folder

),

folder_events as (

    select distinct
        conversation_id,
        folder,
        event_id

    from suspect_lines

),

-- What two folders hold is one conversation if any line is the same, or if it was started anew
-- in one experiment by the same models.
copies as (

    select
        folder_events.conversation_id,
        folder_events.folder,
        other_events.folder as other_folder

    from folder_events

    inner join folder_events as other_events
        on
            folder_events.conversation_id = other_events.conversation_id
            and folder_events.event_id = other_events.event_id

    union

    select
        memberships.conversation_id,
        memberships.folder,
        other_memberships.folder as other_folder

    from memberships

    inner join memberships as other_memberships
        on
            memberships.conversation_id = other_memberships.conversation_id
            and memberships.experiment_id = other_memberships.experiment_id

    where
        (
            struct_extract(memberships.first_start, 'model_a'),
            struct_extract(memberships.first_start, 'model_b')
        )
        is not distinct from (
            struct_extract(other_memberships.first_start, 'model_a'),
            struct_extract(other_memberships.first_start, 'model_b')
        )

),

-- Also copies of copies.
all_copies as (

    select
        conversation_id,
        folder,
        other_folder

    from copies

    union

    select
        all_copies.conversation_id,
        all_copies.folder,
        copies.other_folder

    from all_copies

    inner join copies
        on
            all_copies.conversation_id = copies.conversation_id
            and all_copies.other_folder = copies.folder

),

-- Each conversation, known by the first of its folders.
held_conversations as (

    select
        all_copies.conversation_id,
        all_copies.folder,
        min(
            struct_pack(
                started_at := coalesce(memberships.started_at, 'infinity'),
                folder := memberships.folder
            )
        ) as beginning,
        -- Of copies, one with a manifest that is still there tells best.
        arg_min(
            memberships.experiment_id,
            struct_pack(
                is_loose := not memberships.has_manifest,
                is_missing := memberships.is_missing,
                started_at := coalesce(memberships.started_at, 'infinity'),
                folder := memberships.folder
            )
        ) as experiment_id,
        arg_min(
            struct_extract(memberships.first_start, 'event_id'),
            struct_pack(
                started_at := coalesce(memberships.started_at, 'infinity'),
                folder := memberships.folder
            )
        ) as start_event_id,
        bool_or(memberships.first_start is not null) as has_start

    from all_copies

    inner join memberships
        on
            all_copies.conversation_id = memberships.conversation_id
            and all_copies.other_folder = memberships.folder

    group by
        all_copies.conversation_id,
        all_copies.folder

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

-- The first keeps the id, so that its name does not change when another comes.
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

-- Lines without a start, of which no other folder has any, go on with what began last before.
placed_folders as (

    select
        memberships.conversation_id,
        memberships.folder,
        shown_conversations.shown_id,
        shown_conversations.id_rank,
        shown_conversations.experiment_id,
        shown_conversations.first_experiment_id,
        shown_conversations.start_event_id

    from memberships

    inner join held_conversations
        on
            memberships.conversation_id = held_conversations.conversation_id
            and memberships.folder = held_conversations.folder

    inner join shown_conversations
        on memberships.conversation_id = shown_conversations.conversation_id

    where
        not held_conversations.has_start
        or held_conversations.beginning = shown_conversations.beginning

    qualify
        row_number() over (
            partition by memberships.conversation_id, memberships.folder
            order by
                struct_extract(shown_conversations.beginning, 'started_at')
                <= memberships.first_event_at desc,
                if(
                    struct_extract(shown_conversations.beginning, 'started_at')
                    <= memberships.first_event_at,
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
