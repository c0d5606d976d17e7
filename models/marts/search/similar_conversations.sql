{{
    config(
        materialized = 'table_function',
        parameters = ['to_conversation'],
        contract = {'enforced': false},
    )
}}

with

postings as (

    select * from {{ ref('int_word_postings') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

-- Conversations and words as hashes: numbers are cheaper to carry and compare than text.
word_counts as (

    select
        hash(conversation_id) as conversation_key,
        hash(word) as word_key,
        sum(coalesce(list_sum(uses), len(turns))) as uses

    from postings

    where
        text_kind = 'message'
        and word != ''

    group by conversation_key, word_key

),

conversation_total as (

    select count(distinct conversation_key) as conversation_count from word_counts

),

word_weights as (

    select
        word_counts.word_key,
        ln(any_value(conversation_total.conversation_count) / count(*)) as weight

    from word_counts

    cross join conversation_total

    group by word_counts.word_key

),

vectors as (

    select
        word_counts.conversation_key,
        word_counts.word_key,
        (1 + ln(word_counts.uses)) * word_weights.weight as weight

    from word_counts

    inner join word_weights
        on word_counts.word_key = word_weights.word_key

),

wanted_vector as (

    select
        word_key,
        weight

    from vectors

    where conversation_key = hash(to_conversation)  -- noqa: RF02

),

wanted_length as (

    select sqrt(sum(weight * weight)) as length from wanted_vector

),

similarities as (

    select
        vectors.conversation_key,
        {{ rounded(
            'sum(vectors.weight * coalesce(wanted_vector.weight, 0))'
            ~ ' / (sqrt(sum(vectors.weight * vectors.weight))'
            ~ ' * (select wanted_length.length from wanted_length))'
        ) }} as word_similarity,
        cast(count(wanted_vector.word_key) as integer) as shared_words

    from vectors

    left join wanted_vector
        on vectors.word_key = wanted_vector.word_key

    group by vectors.conversation_key

    having
        sum(vectors.weight * vectors.weight) > 0
        and (select wanted_length.length from wanted_length) > 0

)

select
    conversations.conversation_id,
    conversations.experiment_id,
    least(similarities.word_similarity, 1) as word_similarity,
    similarities.shared_words,
    {% if embedding_model() %}
        {{ cosine_of_vectors('conversation_embeddings.embedding', 'wanted_embedding.embedding') }}
    {% else %}
        cast(null as double)
    {% endif %} as semantic_similarity

from conversations

{% if embedding_model() %}
    left join {{ ref('conversation_embeddings') }} as conversation_embeddings
        on conversations.conversation_id = conversation_embeddings.conversation_id

    left join {{ ref('conversation_embeddings') }} as wanted_embedding
        on wanted_embedding.conversation_id = to_conversation  -- noqa: RF02
{% endif %}

inner join similarities
    on
        hash(conversations.conversation_id) = similarities.conversation_key
        and conversations.conversation_id != to_conversation  -- noqa: RF02

order by similarities.word_similarity desc, conversations.conversation_id asc
