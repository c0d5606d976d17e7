{{ config(materialized = 'view') }}

with recursive

suspect_lines as (

    select * from {{ ref('int_lines_of_suspect_ids') }}

),

folders as (

    select * from {{ ref('int_folders_of_suspect_ids') }}

),

folder_events as (

    select distinct
        conversation_id,
        folder,
        event_id

    from suspect_lines

),

-- Two folders hold the same conversation if they share a line, or if it was started in both in the
-- same experiment and with the same models.
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
        folders.conversation_id,
        folders.folder,
        other_folders.folder as other_folder

    from folders

    inner join folders as other_folders
        on
            folders.conversation_id = other_folders.conversation_id
            and folders.experiment_id = other_folders.experiment_id

    where
        (folders.model_a, folders.model_b)
        is not distinct from (other_folders.model_a, other_folders.model_b)

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

)

select *

from all_copies
