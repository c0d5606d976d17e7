{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_conversations'},
    )
}}

with

files as (

    select * from {{ ref('int_current_files') }}

),

events as (

    select * from {{ ref('int_events') }}

),

lines_of_shared_ids as (

    select * from {{ ref('int_lines_of_shared_ids') }}

),

-- What the build itself found: conversations that go by another id than their log says.
renamed_conversations as (

    select distinct
        conversation_id,
        logged_conversation_id,
        first_experiment_id,
        start_event_id

    from lines_of_shared_ids

    where not is_first

),

-- A conversation without trouble leaves no row to know it by, so it is asked for here.
troubled_conversations as (

    select distinct conversation_id from {{ ref('int_incident_events') }}

    union

    select conversation_id

    from renamed_conversations

),

changed_files as (

    select files.*

    from files
    {{ only_changed('files', 'files') }}

    semi join troubled_conversations
        on files.conversation_id = troubled_conversations.conversation_id

),

incident_events as (

    {{ ordered_events(ref('int_incident_events')) }}

),

turn_starts as (

    {{ ordered_events(ref('int_turn_starts')) }}

),

-- -1 for a turn that started without a number that can be one.
turns_and_incidents as (

    select
        *,
        turn_number as current_turn_number

    from incident_events

    union all by name

    select
        conversation_id,
        coalesce(turn_number, -1) as current_turn_number,
        place

    from turn_starts

),

placed_incidents as (

    select
        * replace (
            nullif(
                last_value(current_turn_number ignore nulls) over (
                    partition by conversation_id
                    order by place
                ),
                -1
            ) as current_turn_number
        )

    from turns_and_incidents

),

collisions as (

    select
        events.event_id,
        events.event_type,
        events.timestamp as occurred_at,
        'its log calls it ' || renamed_conversations.logged_conversation_id
        || ', as another does a conversation of ' || renamed_conversations.first_experiment_id
            as detail,
        changed_files.conversation_id,
        changed_files.experiment_id,
        changed_files.fingerprint

    from renamed_conversations

    inner join events
        on renamed_conversations.start_event_id = events.event_id

    inner join changed_files
        on
            renamed_conversations.conversation_id = changed_files.conversation_id
            and events.source_file = changed_files.source_file

)

select
    event_id,
    conversation_id,
    experiment_id,
    -- Errors and timeouts name their turn only in a sentence; waits not at all.
    coalesce(turn_number, turn_number_in_context, current_turn_number) as turn_number,
    agent_id,
    incident_type,
    event_type,
    occurred_at,
    detail,
    error_type,
    -- Some events name the class, others the registry's name.
    nullif(lower(trim(provider)), '') as provider,
    provider as provider_logged,
    seconds,
    is_retryable,
    fingerprint

from placed_incidents

where incident_type is not null

union all

select
    event_id,
    conversation_id,
    experiment_id,
    null as turn_number,
    null as agent_id,
    'id_collision' as incident_type,
    event_type,
    occurred_at,
    detail,
    null as error_type,
    null as provider,
    null as provider_logged,
    null as seconds,
    null as is_retryable,
    fingerprint

from collisions
