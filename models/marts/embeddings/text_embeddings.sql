{{
    config(
        enabled = embedding_model() != '',
        schema = 'staging',
        access = 'private',
        materialized = 'incremental',
        incremental_strategy = 'append',
        full_refresh = false,
        meta = {'asks_embedding_model': true},
    )
}}

{%- set model = sql_string(embedding_model()) -%}
{%- set missing_texts -%}
    select
        content_hash,
        any_value(content) as content,
        max(said_at) as said_at

    from (
        select
            cast(md5(content) as uuid) as content_hash,
            content,
            sent_at as said_at
        from {{ ref('messages') }}
        where is_spoken and trim(content) != ''

        union all

        select
            cast(md5(initial_prompt) as uuid) as content_hash,
            initial_prompt as content,
            started_at as said_at
        from {{ ref('conversations') }}
        where trim(initial_prompt) != ''
    ) as texts
    {% if is_incremental() %}
        where
            content_hash not in (
                select known.content_hash
                from {{ this }} as known
                where known.embedding_model = {{ model }}
            )
    {% endif %}
    group by content_hash
{%- endset -%}
{{- say_what_is_embedded(missing_texts) }}

with

missing_texts as (

    {{ missing_texts }}

),

-- The newest first, so that what somebody looks at has vectors early.
next_texts as materialized (

    select *

    from missing_texts

    order by said_at desc nulls last, content_hash asc

    limit {{ var('embedding_limit') }}

)

select
    {{ model }} as embedding_model,
    content_hash,
    embedding_of(content, {{ model }}) as embedding

from next_texts
