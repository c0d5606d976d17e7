{{ config(materialized = 'view') }}

with

conversation_files as (

    select * from {{ ref('int_conversation_files') }}

),

conversations as (

    select * from {{ ref('int_current_conversations') }}

)

select
    conversation_files.conversation_id,
    conversation_files.source_file,
    conversations.experiment_id,
    conversation_files.file_order,
    conversations.fingerprint

from conversation_files

inner join conversations
    on conversation_files.conversation_id = conversations.conversation_id
