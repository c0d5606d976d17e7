{{ config(materialized = 'view') }}

with

conversations as (

    select * from {{ ref('int_conversations') }}

),

event_state as (

    select * from {{ ref('int_event_state') }}

)

select
    conversations.conversation_id,
    conversations.experiment_id,
    conversations.experiment_id_source,
    conversations.first_file,
    conversations.event_count,
    conversations.first_event_at,
    conversations.last_event_at,
    conversations.manifest_status,
    conversations.manifest_error,
    conversations.experiment_config,
    conversations.event_state,
    conversations.fingerprint

from conversations

semi join event_state
    on conversations.event_state = event_state.event_state
