{{
    config(
        enabled = embedding_model() != '',
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'embedded_messages'},
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

changed_messages as (

    select embedded_messages.*

    from embedded_messages
    {{ only_changed('embedded_messages', ref('embedded_messages')) }}

),

conversation_vectors as (

    select
        changed_messages.conversation_id,
        changed_messages.experiment_id,
        changed_messages.fingerprint,
        -- In an order, on which sums of floating-point numbers depend.
        list(
            text_embeddings.embedding
            order by changed_messages.turn_number, changed_messages.agent_id
        ) filter (where text_embeddings.embedding is not null) as vectors

    from changed_messages

    left join text_embeddings
        on changed_messages.content_hash = text_embeddings.content_hash

    group by
        changed_messages.conversation_id,
        changed_messages.experiment_id,
        changed_messages.fingerprint

)

select
    conversation_id,
    experiment_id,
    {{ sql_string(embedding_model()) }} as embedding_model,
    cast(coalesce(len(vectors), 0) as integer) as embedded_messages,
    cast(
        list_transform(
            range(1, len(vectors[1]) + 1),
            lambda place: list_avg(list_transform(vectors, lambda vector: vector[place]))
        ) as float[]
    ) as embedding,
    fingerprint

from conversation_vectors
