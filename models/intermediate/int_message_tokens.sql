{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        on_schema_change = 'fail',
        meta = {'fingerprints': 'messages'},
    )
}}

with

messages as (

    select * from {{ ref('messages') }}

),

changed_messages as (

    select messages.*

    from messages
    {% if is_incremental() %}
        anti join {{ this }} as processed
            on
                messages.conversation_id = processed.conversation_id
                and messages.fingerprint = processed.fingerprint
    {% endif %}

)

select
    conversation_id,
    turn_number,
    agent_id,
    -- Pidgin's placeholder for a reply that never came is nobody's speech.
    if(is_api_error, null, {{ tokens('content') }}) as tokens,
    fingerprint

from changed_messages

where is_turn_complete
