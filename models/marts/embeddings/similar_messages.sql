{{
    config(
        enabled = embedding_model() != '',
        materialized = 'table_function',
        parameters = ['to_conversation', 'to_turn', 'to_agent'],
        contract = {'enforced': false},
    )
}}

with

embedded_messages as (

    select * from {{ ref('embedded_messages') }}

),

text_embeddings as (

    select
        content_hash,
        embedding

    from {{ ref('text_embeddings') }}

    where embedding_model = {{ sql_string(embedding_model()) }}

),

wanted_message as (

    select
        text_embeddings.content_hash,
        text_embeddings.embedding

    from embedded_messages

    inner join text_embeddings
        on embedded_messages.content_hash = text_embeddings.content_hash

    where
        -- noqa: disable=RF02
        embedded_messages.conversation_id = to_conversation
        and embedded_messages.turn_number = to_turn
        and embedded_messages.agent_id = to_agent
        -- noqa: enable=RF02

),

-- Each text is compared once, however often it was said.
similarities as (

    select
        text_embeddings.content_hash,
        {{ cosine_of_vectors('text_embeddings.embedding', 'wanted_message.embedding') }}
            as semantic_similarity

    from text_embeddings

    cross join wanted_message

)

select
    embedded_messages.conversation_id,
    embedded_messages.experiment_id,
    embedded_messages.turn_number,
    embedded_messages.agent_id,
    similarities.semantic_similarity

from embedded_messages

inner join similarities
    on embedded_messages.content_hash = similarities.content_hash

where
    -- noqa: disable=RF02
    (embedded_messages.conversation_id, embedded_messages.turn_number, embedded_messages.agent_id)
    != (to_conversation, to_turn, to_agent)
    -- noqa: enable=RF02

order by
    similarities.semantic_similarity desc,
    embedded_messages.conversation_id asc,
    embedded_messages.turn_number asc,
    embedded_messages.agent_id asc
