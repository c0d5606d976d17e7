{{ config(materialized = 'view') }}

with

suspect_lines as (

    select * from {{ ref('int_lines_of_suspect_ids') }}

),

missing_files as (

    select * from {{ ref('int_missing_files') }}

),

manifests as (

    select * from {{ ref('int_manifests') }}

),

folders as (

    select
        suspect_lines.conversation_id,
        suspect_lines.folder,
        min(suspect_lines.source_file) as first_file,
        {{ embedded_experiment_id('suspect_lines.conversation_id') }} as embedded_experiment_id,
        bool_and(missing_files.source_file is not null) as is_missing,
        min(suspect_lines.timestamp) as first_event_at,
        min(suspect_lines.timestamp) filter (
            where suspect_lines.event_type = 'ConversationStartEvent'
        ) as started_at,
        min(suspect_lines.experiment_id) as logged_experiment_id,
        min(suspect_lines.archived_experiment_id) as archived_experiment_id,
        first(
            struct_pack(
                event_id := suspect_lines.event_id,
                models := json_extract_string(suspect_lines.event_data, [
                    '$.agent_a_model', '$.agent_b_model', '$.agent_a.model', '$.agent_b.model'
                ])
            )
            order by
                suspect_lines.timestamp nulls last,
                suspect_lines.source_file,
                suspect_lines.line_position
        ) filter (where suspect_lines.event_type = 'ConversationStartEvent') as first_start

    from suspect_lines

    left join missing_files
        on suspect_lines.source_file = missing_files.source_file

    group by
        suspect_lines.conversation_id,
        suspect_lines.folder

)

select
    folders.conversation_id,
    folders.folder,
    -- As in int_conversations, but only from the folder itself.
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
    ) as experiment_id,
    coalesce(manifests.is_readable, false) as has_manifest,
    folders.is_missing,
    folders.first_start['event_id'] as start_event_id,
    coalesce(folders.first_start['models'][1], folders.first_start['models'][3]) as model_a,
    coalesce(folders.first_start['models'][2], folders.first_start['models'][4]) as model_b,
    folders.started_at,
    folders.first_event_at

from folders

left join manifests
    on folders.folder = manifests.folder
