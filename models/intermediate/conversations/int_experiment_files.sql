{{ config(materialized = 'view') }}

with

event_lines as (

    select * from {{ ref('stg_pidgin__event_lines') }}

    where {{ is_in_output_dir('source_file') }}

),

shared_ids as (

    select * from {{ ref('int_lines_of_shared_ids') }}

),

conversations as (

    select * from {{ ref('int_conversations') }}

),

stored_manifests as (

    select * from {{ ref('stg_pidgin__manifests') }}

    where {{ is_in_output_dir('source_file') }}

),

manifests as (

    select * from {{ ref('int_manifests') }}

),

log_conversations as (

    select distinct
        event_lines.source_file,
        coalesce(shared_ids.conversation_id, event_lines.conversation_id) as conversation_id

    from event_lines

    left join shared_ids
        on
            event_lines.source_file = shared_ids.source_file
            and {{ line_position('event_lines.line_number', 'coalesce(event_lines.line_part, 1)') }}
            = shared_ids.line_position

    where
        event_lines.line_kind = 'event'
        and event_lines.conversation_id is not null

),

log_experiments as (

    select distinct
        log_conversations.source_file,
        conversations.experiment_id

    from log_conversations

    inner join conversations
        on log_conversations.conversation_id = conversations.conversation_id

),

folder_experiments as (

    select
        {{ folder_of('source_file') }} as folder,
        min(experiment_id) as experiment_id

    from log_experiments

    group by folder

),

logs as (

    select
        source_file,
        {{ folder_of('source_file') }} as folder,
        max(size_bytes) filter (where line_kind = 'file') as size_bytes,
        max(modified_at) filter (where line_kind = 'file') as modified_at,
        bool_or(line_kind = 'event' and conversation_id is not null) as has_conversation,
        bool_or(line_kind = 'forgotten') as is_forgotten

    from event_lines

    group by source_file

    having bool_or(line_kind = 'file')

),

experiment_logs as (

    select
        log_experiments.experiment_id,
        logs.source_file,
        logs.size_bytes,
        logs.modified_at,
        logs.is_forgotten

    from logs

    inner join log_experiments
        on logs.source_file = log_experiments.source_file

    union all

    -- A log without a conversation goes with the logs beside it.
    select
        folder_experiments.experiment_id,
        logs.source_file,
        logs.size_bytes,
        logs.modified_at,
        logs.is_forgotten

    from logs

    inner join folder_experiments
        on logs.folder = folder_experiments.folder

    where
        not logs.has_conversation
        and not logs.is_forgotten

),

files as (

    select
        experiment_id,
        source_file,
        'log' as file_kind,
        size_bytes,
        modified_at,
        is_forgotten

    from experiment_logs

    union all

    select
        manifests.experiment_id,
        stored_manifests.source_file,
        'manifest' as file_kind,
        stored_manifests.size_bytes,
        stored_manifests.modified_at,
        false as is_forgotten

    from stored_manifests

    inner join manifests
        on stored_manifests.source_file = manifests.source_file

),

file_owners as (

    select
        source_file,
        count(*) as experiment_count,
        string_agg(experiment_id, ' and ' order by experiment_id) as experiment_ids

    from files

    group by source_file

)

select
    files.experiment_id,
    files.source_file,
    files.file_kind,
    files.size_bytes,
    files.modified_at,
    case
        when file_owners.experiment_count > 1
            then files.source_file || ' belongs to ' || file_owners.experiment_ids
        -- An archive holds every byte of a log.
        when files.is_forgotten then files.source_file || ' holds what was forgotten'
    end as obstacle

from files

inner join file_owners
    on files.source_file = file_owners.source_file
