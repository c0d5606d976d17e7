{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_message_tokens'},
        contract = {'enforced': true},
    )
}}

{#- Words of a window of the moving-average type-token ratio. -#}
{%- set window = 50 %}

with

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

linguistic_markers as (

    select * from {{ ref('linguistic_markers') }}

),

passive_words as (

    select
        list(hash(marker)) filter (where category = 'be_form') as be_forms,
        list(hash(marker)) filter (where category = 'irregular_participle') as participles

    from linguistic_markers

),

changed_messages as (

    select
        message_tokens.conversation_id,
        message_tokens.turn_number,
        message_tokens.agent_id,
        {{ token_list('message_tokens.token_text') }} as tokens,
        message_tokens.fingerprint

    from message_tokens
    {{ only_changed('message_tokens', ref('int_message_tokens')) }}

    where message_tokens.token_text is not null

),

hashed_messages as (

    select
        *,
        {{ token_hashes('tokens') }} as token_hashes,
        len(tokens) as word_count,
        len(list_filter(tokens, lambda token: contains(token, ''''))) as apostrophe_count,
        len(list_filter(tokens, lambda token: length(token) > 7)) as long_word_count

    from changed_messages

),

-- The last that needs the letters of words; from here on words are numbers, which are cheaper to
-- carry, sort and compare than text.
message_sequences as (

    select
        hashed_messages.* exclude (tokens),  -- noqa: RF02
        {{ passive_count('hashed_messages.tokens', 'hashed_messages.token_hashes') }}
            as passive_count

    from hashed_messages

    cross join passive_words

),

-- A message that is shorter than a window is looked at with the agent's four before it.
recent_sequences as (

    select
        *,
        if(
            word_count >= {{ window }},
            [],
            list_slice(
                flatten(list(list_slice(token_hashes, -100, -1)) over recent_messages), -100, -1
            )
        ) as recent_hashes

    from message_sequences

    window recent_messages as (
        partition by conversation_id, agent_id
        order by turn_number
        rows between 4 preceding and current row
    )

),

-- One sort tells how often words occur, where they come again, and which phrases can.
sorted_sequences as (

    select
        *,
        {{ sorted_uses('token_hashes') }} as sorted_uses,
        {{ sorted_uses('recent_hashes') }} as sorted_recent_uses

    from recent_sequences

),

distinct_words as (

    select
        * exclude (recent_hashes),
        {{ last_uses('sorted_uses') }} as last_uses

    from sorted_sequences

),

repeated_words as (

    select
        * exclude (sorted_uses, last_uses, sorted_recent_uses),
        len(sorted_recent_uses) as recent_word_count,
        {{ word_occurrences('token_hashes', 'last_uses') }} as word_occurrences,
        {{ uses_of_repeated_words('sorted_uses', 'last_uses') }} as uses_of_repeated_words,
        {{ repeated_uses('sorted_recent_uses') }} as repeated_recent_uses

    from distinct_words

),

repeated_places as (

    select
        * exclude (uses_of_repeated_words),
        {{ repeated_uses('uses_of_repeated_words') }} as repeated_uses,
        {{ repeated_places('token_hashes', 'uses_of_repeated_words') }} as repeated_places

    from repeated_words

),

-- A phrase can only come again where each of its words does.
repeated_phrases as (

    select
        * exclude (token_hashes, repeated_places),
        {{ adjacent_repetitions('token_hashes', 'repeated_places') }} as adjacent_repetitions,
        {{ ngrams_at('token_hashes', 'repeated_places', 2) }} as bigrams,
        {{ ngrams_at('token_hashes', 'repeated_places', 3) }} as trigrams

    from repeated_places

),

phrase_counts as (

    select
        *,
        list_unique(bigrams) as distinct_bigrams,
        list_unique(trigrams) as distinct_trigrams

    from repeated_phrases

),

histograms as (

    select
        *,
        len(list_filter(word_occurrences, lambda times: times = 1)) as hapax_count,
        {{ repeated_occurrences('bigrams', 'distinct_bigrams') }} as bigram_occurrences,
        {{ repeated_occurrences('trigrams', 'distinct_trigrams') }} as trigram_occurrences,
        -- sqlfluff cannot parse lambdas of two arguments.
        {{ mtld_state('repeated_uses') }} as mtld_state, -- noqa: PRS
        {{ mtld_state(reversed_uses('repeated_uses', 'word_count')) }} as reversed_mtld_state -- noqa: PRS

    from phrase_counts

)

select
    conversation_id,
    turn_number,
    agent_id,
    cast(word_count as integer) as word_count,
    cast(len(word_occurrences) as integer) as vocabulary_size,
    cast(hapax_count as integer) as hapax_count,
    cast(apostrophe_count as integer) as apostrophe_count,
    cast(long_word_count as integer) as long_word_count,
    cast(passive_count as integer) as passive_count,
    cast(adjacent_repetitions as integer) as adjacent_repetitions,
    cast(greatest(word_count - 1, 0) - len(bigrams) + distinct_bigrams as integer) as bigram_count,
    cast(greatest(word_count - 2, 0) - len(trigrams) + distinct_trigrams as integer)
        as trigram_count,
    cast(len(bigram_occurrences) as integer) as repeated_bigrams,
    cast(len(trigram_occurrences) as integer) as repeated_trigrams,
    {{ entropy_of_counts('word_occurrences', 'word_count') }} as word_entropy,
    {{ entropy_of_counts('bigram_occurrences', 'word_count - 1') }} as bigram_entropy,
    {{ hd_d('word_occurrences', 'hapax_count', 'word_count') }} as hd_d,
    {{ mattr('repeated_uses', 'word_count', window) }} as mattr,
    if(
        word_count >= {{ window }},
        {{ mattr('repeated_uses', 'word_count', window) }},
        {{ mattr('repeated_recent_uses', 'recent_word_count', window) }}
    ) as recent_mattr,
    if(
        word_count = 0,
        null,
        (
            {{ mtld('mtld_state', 'word_count') }}
            + {{ mtld('reversed_mtld_state', 'word_count') }}
        ) / 2
    ) as mtld,
    fingerprint

from histograms
