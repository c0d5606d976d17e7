{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_messages'},
        contract = {'enforced': true},
    )
}}

with

messages as (

    select * from {{ ref('int_messages') }}

),

changed_messages as (

    select messages.*

    from messages
    {{ only_changed('messages', ref('int_messages')) }}

),

speech as (

    select
        conversation_id,
        turn_number,
        agent_id,
        -- Pidgin's placeholder for a reply that never came is nobody's speech. Left out here,
        -- because around the splitting of text a condition costs as much again.
        if(is_spoken, content, null) as content,
        fingerprint

    from changed_messages

    where is_turn_complete

),

messages_in_words as (

    select
        *,
        -- As text, which costs a fifth of what a list costs to store.
        {{ token_text('content') }} as token_text

    from speech

)

select
    conversation_id,
    turn_number,
    agent_id,
    token_text,
    if(token_text = '', {{ visible_text('content') }}, null) as wordless_text,
    fingerprint

from messages_in_words
