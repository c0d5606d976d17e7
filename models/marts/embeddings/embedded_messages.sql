{{
    config(
        enabled = embedding_model() != '',
        schema = 'intermediate',
        access = 'private',
        persist_docs = {'relation': false, 'columns': false},
        materialized = 'view',
        contract = {'enforced': false},
    )
}}

with

messages as (

    select * from {{ ref('messages') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

text_embeddings as (

    select content_hash

    from {{ ref('text_embeddings') }}

    where embedding_model = {{ sql_string(embedding_model()) }}

),

spoken_messages as (

    select
        messages.conversation_id,
        messages.experiment_id,
        messages.turn_number,
        messages.agent_id,
        cast(md5(messages.content) as uuid) as content_hash,
        cast(md5(conversations.initial_prompt) as uuid) as prompt_hash,
        messages.fingerprint

    from messages

    inner join conversations
        on
            messages.conversation_id = conversations.conversation_id
            and messages.fingerprint = conversations.fingerprint

    where messages.is_spoken

),

counted_messages as (

    select
        spoken_messages.*,
        own.content_hash is not null as has_vector,
        prompt.content_hash is not null as has_prompt_vector

    from spoken_messages

    left join text_embeddings as own
        on spoken_messages.content_hash = own.content_hash

    left join text_embeddings as prompt
        on spoken_messages.prompt_hash = prompt.content_hash

)

select
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    content_hash,
    lag(content_hash) over conversation_so_far as previous_hash,
    prompt_hash,
    -- Vectors come over several builds, and each makes another state of its conversation.
    hash(
        fingerprint,
        {{ sql_string(embedding_model()) }},
        count(*) filter (where has_vector) over whole_conversation,
        has_prompt_vector
    ) as fingerprint

from counted_messages

window
    whole_conversation as (
        partition by conversation_id
    ),
    conversation_so_far as (
        partition by conversation_id
        order by turn_number, agent_id
    )
