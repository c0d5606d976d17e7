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

changed_messages as (

    select
        message_tokens.conversation_id,
        message_tokens.turn_number,
        message_tokens.agent_id,
        message_tokens.token_text,
        message_tokens.fingerprint

    from message_tokens
    {{ only_changed('message_tokens', ref('int_message_tokens')) }}

    where message_tokens.token_text is not null

),

-- Messages by numbers in order of conversation, turn and agent; in a turn, agent B answers A. From
-- here on messages and words are numbers, which are cheaper to carry, sort and compare than text.
numbered_messages as (

    select
        *,
        agent_id = 'agent_a' as is_agent_a,
        cast(
            row_number() over (order by conversation_id, turn_number, agent_id) as integer
        ) as message

    from changed_messages

),

-- The messages that each one is compared with.
earlier_messages as (

    select
        conversation_id,
        turn_number,
        agent_id,
        is_agent_a,
        message,
        row_number() over own_messages - 1 as earlier_messages,
        lag(message) over own_messages as last_message,
        lag(message, 2) over own_messages as last_but_one_message,
        if(
            is_agent_a,
            max(message) filter (where not is_agent_a) over messages_before,
            max(message) filter (where is_agent_a) over messages_before
        ) as partner_message

    from numbered_messages

    window
        own_messages as (
            partition by conversation_id, agent_id
            order by message
        ),
        messages_before as (
            partition by conversation_id
            order by message
            rows between unbounded preceding and 1 preceding
        )

),

message_histograms as (

    select
        earlier_messages.*,
        list_histogram({{ token_list('numbered_messages.token_text') }}) as histogram

    from numbered_messages

    inner join earlier_messages
        on numbered_messages.message = earlier_messages.message

),

message_entries as (

    select
        conversation_id,
        message,
        is_agent_a,
        last_message,
        last_but_one_message,
        partner_message,
        -- Exact, so that sums do not depend on the order of rows.
        cast(1.0 / cardinality(histogram) as decimal(18, 17)) as vocabulary_share,
        unnest(map_keys(histogram)) as word,
        unnest(map_values(histogram)) as occurrences

    from message_histograms

),

words as (

    select
        * exclude (conversation_id, word),
        hash(word) as word,
        hash(conversation_id, word) as conversation_word

    from message_entries

),

-- Each use of a word sees the earlier uses of it in the conversation: linear in the number of
-- words, where comparing every message with every earlier one is quadratic.
word_uses as (

    select
        message,
        last_message,
        last_but_one_message,
        partner_message,
        conversation_word,
        if(
            is_agent_a,
            sum(vocabulary_share) filter (where is_agent_a) over earlier_uses,
            sum(vocabulary_share) filter (where not is_agent_a) over earlier_uses
        ) as repeated_shares,
        if(
            is_agent_a,
            lag(if(is_agent_a, message, null) ignore nulls) over uses,
            lag(if(is_agent_a, null, message) ignore nulls) over uses
        ) as last_use,
        if(
            is_agent_a,
            lag(if(is_agent_a, message, null), 2 ignore nulls) over uses,
            lag(if(is_agent_a, null, message), 2 ignore nulls) over uses
        ) as last_use_but_one,
        if(
            is_agent_a,
            lag(if(is_agent_a, null, message) ignore nulls) over uses,
            lag(if(is_agent_a, message, null) ignore nulls) over uses
        ) as partner_use

    from words

    window
        uses as (
            partition by conversation_word
            order by message
        ),
        earlier_uses as (
            partition by conversation_word
            order by message
            rows between unbounded preceding and 1 preceding
        )

),

word_totals as (

    select
        message,
        count(*) as vocabulary_size,
        count(*) filter (where repeated_shares is null) as new_words,
        sum(repeated_shares) as repeated_shares,
        count(*) filter (where last_message = last_use) as words_of_last,
        count(*) filter (where last_but_one_message in (last_use, last_use_but_one))
            as words_of_last_but_one,
        count(*) filter (where partner_message = partner_use) as words_of_partner

    from word_uses

    group by message

),

-- A word that both agents use is shared from the second one's first use on.
first_shared_uses as (

    select max(message) as message

    from word_uses

    where repeated_shares is null

    group by conversation_word

    having count(*) = 2

),

shared_word_totals as (

    select
        message,
        count(*) as newly_shared_words

    from first_shared_uses

    group by message

),

-- Each word is looked at once, however often it is said.
vocabulary as (

    select distinct word from message_entries

),

syllables as (

    select
        hash(word) as word,
        {{ syllable_count('word') }} as syllables

    from vocabulary

),

syllable_totals as (

    select
        words.message,
        sum(words.occurrences * syllables.syllables) as syllables

    from words

    inner join syllables
        on words.word = syllables.word

    group by words.message

),

marker_totals as (

    select
        {% for category, column in marker_columns().items() -%}
            sum(words.occurrences) filter (where linguistic_markers.category = '{{ category }}')
                as {{ column }},
        {% endfor -%}
        words.message

    from words

    inner join linguistic_markers
        on words.word = hash(linguistic_markers.marker)

    group by words.message

),

message_totals as (

    select
        earlier_messages.*,
        coalesce(word_totals.vocabulary_size, 0) as vocabulary_size,
        coalesce(word_totals.new_words, 0) as new_words,
        coalesce(word_totals.repeated_shares, 0) as repeated_shares,
        coalesce(word_totals.words_of_last, 0) as words_of_last,
        coalesce(word_totals.words_of_last_but_one, 0) as words_of_last_but_one,
        coalesce(word_totals.words_of_partner, 0) as words_of_partner

    from earlier_messages

    left join word_totals
        on earlier_messages.message = word_totals.message

),

-- Shares of the words of two messages, in either, that are in both.
message_similarities as (

    select
        message_totals.message,
        {{ jaccard_of_overlap(
            'message_totals.vocabulary_size', 'last_messages.vocabulary_size',
            'message_totals.words_of_last'
        ) }} as similarity_to_last,
        {{ jaccard_of_overlap(
            'message_totals.vocabulary_size', 'last_but_one_messages.vocabulary_size',
            'message_totals.words_of_last_but_one'
        ) }} as similarity_to_last_but_one,
        {{ jaccard_of_overlap(
            'message_totals.vocabulary_size', 'partner_messages.vocabulary_size',
            'message_totals.words_of_partner'
        ) }} as similarity_to_partner

    from message_totals

    left join message_totals as last_messages
        on message_totals.last_message = last_messages.message

    left join message_totals as last_but_one_messages
        on message_totals.last_but_one_message = last_but_one_messages.message

    left join message_totals as partner_messages
        on message_totals.partner_message = partner_messages.message

),

-- The words of messages in order, for what their order decides.
message_sequences as (

    select
        conversation_id,
        agent_id,
        message,
        {{ token_hashes(token_list('token_text')) }} as word_hashes

    from numbered_messages

),

-- A message that is shorter than a window is looked at with the agent's four before it.
recent_texts as (

    select
        message,
        word_hashes,
        if(
            len(word_hashes) >= {{ window }},
            [],
            list_slice(
                flatten(list(list_slice(word_hashes, -100, -1)) over recent_messages), -100, -1
            )
        ) as recent_hashes

    from message_sequences

    window recent_messages as (
        partition by conversation_id, agent_id
        order by message
        rows between 4 preceding and current row
    )

),

sorted_sequences as (

    select
        message,
        {{ sorted_uses('word_hashes') }} as sorted_uses,
        {{ sorted_uses('recent_hashes') }} as sorted_recent_uses

    from recent_texts

),

repeated_words as (

    select
        * exclude (sorted_uses, sorted_recent_uses),
        len(sorted_uses) as word_count,
        len(sorted_recent_uses) as recent_word_count,
        {{ repeated_uses('sorted_uses') }} as repeated_uses,
        {{ repeated_uses('sorted_recent_uses') }} as repeated_recent_uses

    from sorted_sequences

),

mtld_states as (

    select
        *,
        -- sqlfluff cannot parse lambdas of two arguments.
        {{ mtld_state('repeated_uses') }} as mtld_state, -- noqa: PRS
        {{ mtld_state(reversed_uses('repeated_uses', 'word_count')) }} as reversed_mtld_state -- noqa: PRS

    from repeated_words

),

lexical_diversities as (

    select
        message,
        {{ mattr('repeated_uses', 'word_count', window) }} as mattr,
        if(
            word_count = 0,
            null,
            (
                {{ mtld('mtld_state', 'word_count') }}
                + {{ mtld('reversed_mtld_state', 'word_count') }}
            ) / 2
        ) as mtld,
        if(
            word_count >= {{ window }},
            {{ mattr('repeated_uses', 'word_count', window) }},
            {{ mattr('repeated_recent_uses', 'recent_word_count', window) }}
        ) as recent_mattr

    from mtld_states

),

-- Phrases are looked for where their longest word is.
phrase_markers as (

    select
        category,
        marker,
        hash(
            list_max(
                list_transform(
                    list_filter(
                        string_split({{ bare_phrase('marker') }}, ' '),
                        lambda word: not contains(word, '''')
                    ),
                    lambda word: struct_pack(letters := length(word), word := word)
                )
            )['word']
        ) as anchor,
        ' ' || replace({{ bare_phrase('marker') }}, '''', ' ') || ' ' as searched_text

    from linguistic_markers

    where category in ({{ statement_categories() }})

),

phrase_candidates as (

    select
        words.message,
        phrase_markers.category,
        phrase_markers.marker,
        phrase_markers.searched_text

    from words

    inner join phrase_markers
        on words.word = phrase_markers.anchor

),

-- Curly apostrophes part words, so here all do.
phrase_texts as (

    select
        message,
        ' ' || replace(token_text, '''', ' ') || ' ' as searched_text

    from numbered_messages

),

-- Words alone cannot tell where a sentence ends, nor an apostrophe from a quotation mark:
-- message_metrics looks at the text of the few messages that are left.
message_phrases as (

    select
        phrase_candidates.message,
        list(
            struct_pack(
                category := phrase_candidates.category, marker := phrase_candidates.marker
            )
            order by phrase_candidates.category, phrase_candidates.marker
        ) as statement_markers

    from phrase_candidates

    inner join phrase_texts
        on phrase_candidates.message = phrase_texts.message

    where contains(phrase_texts.searched_text, phrase_candidates.searched_text)

    group by phrase_candidates.message

)

select
    numbered_messages.conversation_id,
    numbered_messages.turn_number,
    numbered_messages.agent_id,
    message_totals.earlier_messages,
    cast(message_totals.new_words as integer) as new_words,
    cast(coalesce(shared_word_totals.newly_shared_words, 0) as integer) as newly_shared_words,
    cast(message_totals.repeated_shares as double) as repeated_shares,
    message_similarities.similarity_to_last,
    message_similarities.similarity_to_last_but_one,
    message_similarities.similarity_to_partner,
    lexical_diversities.mattr,
    lexical_diversities.mtld,
    lexical_diversities.recent_mattr,
    cast(coalesce(syllable_totals.syllables, 0) as integer) as syllables,
    {% for column in marker_columns().values() -%}
        cast(coalesce(marker_totals.{{ column }}, 0) as integer) as {{ column }},
    {% endfor -%}
    message_phrases.statement_markers,
    numbered_messages.fingerprint

from numbered_messages

inner join message_totals
    on numbered_messages.message = message_totals.message

inner join message_similarities
    on numbered_messages.message = message_similarities.message

inner join lexical_diversities
    on numbered_messages.message = lexical_diversities.message

left join shared_word_totals
    on numbered_messages.message = shared_word_totals.message

left join syllable_totals
    on numbered_messages.message = syllable_totals.message

left join marker_totals
    on numbered_messages.message = marker_totals.message

left join message_phrases
    on numbered_messages.message = message_phrases.message
