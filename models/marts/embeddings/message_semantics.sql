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

)

select
    changed_messages.conversation_id,
    changed_messages.experiment_id,
    changed_messages.turn_number,
    changed_messages.agent_id,
    {{ sql_string(embedding_model()) }} as embedding_model,
    {{ cosine_of_vectors('own.embedding', 'previous.embedding') }}
        as semantic_similarity_to_previous,
    {{ cosine_of_vectors('own.embedding', 'prompt.embedding') }}
        as semantic_similarity_to_prompt,
    changed_messages.fingerprint

from changed_messages

left join text_embeddings as own
    on changed_messages.content_hash = own.content_hash

left join text_embeddings as previous
    on changed_messages.previous_hash = previous.content_hash

left join text_embeddings as prompt
    on changed_messages.prompt_hash = prompt.content_hash
