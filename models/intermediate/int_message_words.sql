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

-- The messages of a conversation in order; in a turn, agent B answers A.
message_places as (

    select
        conversation_id,
        turn_number,
        agent_id,
        agent_id = 'agent_a' as is_agent_a,
        row_number() over (
            partition by conversation_id
            order by turn_number, agent_id
        ) as place

    from changed_messages

),

-- Where the messages stand that each one is compared with.
earlier_messages as (

    select
        *,
        row_number() over own_messages - 1 as earlier_messages,
        lag(place) over own_messages as last_place,
        lag(place, 2) over own_messages as last_but_one_place,
        if(
            is_agent_a,
            max(place) filter (where not is_agent_a) over messages_before,
            max(place) filter (where is_agent_a) over messages_before
        ) as partner_place

    from message_places

    window
        own_messages as (
            partition by conversation_id, agent_id
            order by place
        ),
        messages_before as (
            partition by conversation_id
            order by place
            rows between unbounded preceding and 1 preceding
        )

),

message_histograms as (

    select
        earlier_messages.*,
        list_histogram({{ token_list('changed_messages.token_text') }}) as histogram

    from changed_messages

    inner join earlier_messages
        on
            changed_messages.conversation_id = earlier_messages.conversation_id
            and changed_messages.turn_number = earlier_messages.turn_number
            and changed_messages.agent_id = earlier_messages.agent_id

),

-- From here on messages and words as hashes: numbers are cheaper to carry, sort and compare
-- than text.
message_entries as (

    select
        hash(conversation_id) as conversation,
        hash(conversation_id, turn_number, agent_id) as message,
        is_agent_a,
        place,
        last_place,
        last_but_one_place,
        partner_place,
        -- Exact, so that sums do not depend on the order of rows.
        cast(1.0 / cardinality(histogram) as decimal(18, 17)) as vocabulary_share,
        unnest(map_keys(histogram)) as word,
        unnest(map_values(histogram)) as occurrences

    from message_histograms

),

words as (

    select
        * exclude (conversation, word),
        hash(word) as word,
        hash(conversation, word) as conversation_word

    from message_entries

),

-- Each use of a word sees the earlier uses of it in the conversation: linear in the number of
-- words, where comparing every message with every earlier one is quadratic.
word_uses as (

    select
        message,
        place,
        last_place,
        last_but_one_place,
        partner_place,
        conversation_word,
        sum(vocabulary_share) over own_earlier_uses as repeated_shares,
        lag(place) over own_uses as last_use,
        lag(place, 2) over own_uses as last_use_but_one,
        if(
            is_agent_a,
            max(place) filter (where not is_agent_a) over earlier_uses,
            max(place) filter (where is_agent_a) over earlier_uses
        ) as partner_use

    from words

    window
        own_uses as (
            partition by conversation_word, is_agent_a
            order by place
        ),
        own_earlier_uses as (
            partition by conversation_word, is_agent_a
            order by place
            rows between unbounded preceding and 1 preceding
        ),
        earlier_uses as (
            partition by conversation_word
            order by place
            rows between unbounded preceding and 1 preceding
        )

),

word_totals as (

    select
        message,
        count(*) as vocabulary_size,
        count(*) filter (where repeated_shares is null) as new_words,
        sum(repeated_shares) as repeated_shares,
        count(*) filter (where last_place = last_use) as words_of_last,
        count(*) filter (where last_but_one_place in (last_use, last_use_but_one))
            as words_of_last_but_one,
        count(*) filter (where partner_place = partner_use) as words_of_partner

    from word_uses

    group by message

),

-- A word that both agents use is shared from the second one's first use on.
first_shared_uses as (

    select max_by(message, place) as message

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
        words.message,
        sum(words.occurrences) filter (where linguistic_markers.category = 'hedge')
            as hedge_words,
        sum(words.occurrences) filter (where linguistic_markers.category = 'agreement')
            as agreement_markers,
        sum(words.occurrences) filter (where linguistic_markers.category = 'disagreement')
            as disagreement_markers,
        sum(words.occurrences) filter (where linguistic_markers.category = 'politeness')
            as politeness_markers,
        sum(words.occurrences) filter (where linguistic_markers.category = 'first_person_singular')
            as first_person_singular,
        sum(words.occurrences) filter (where linguistic_markers.category = 'first_person_plural')
            as first_person_plural,
        sum(words.occurrences) filter (where linguistic_markers.category = 'second_person')
            as second_person,
        sum(words.occurrences) filter (where linguistic_markers.category = 'third_person')
            as third_person,
        sum(words.occurrences) filter (where linguistic_markers.category = 'certainty')
            as certainty_words,
        sum(words.occurrences) filter (where linguistic_markers.category = 'tentative')
            as tentative_words,
        sum(words.occurrences) filter (where linguistic_markers.category = 'gratitude')
            as gratitude_markers,
        sum(words.occurrences) filter (where linguistic_markers.category = 'discourse')
            as discourse_markers,
        sum(words.occurrences) filter (where linguistic_markers.category = 'existential')
            as existential_language,
        sum(words.occurrences) filter (where linguistic_markers.category = 'meta')
            as meta_commentary

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
        on {{ message_hash('earlier_messages') }} = word_totals.message

),

-- Shares of the words of two messages, in either, that are in both.
message_similarities as (

    select
        message_totals.conversation_id,
        message_totals.place,
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
        on
            message_totals.conversation_id = last_messages.conversation_id
            and message_totals.last_place = last_messages.place

    left join message_totals as last_but_one_messages
        on
            message_totals.conversation_id = last_but_one_messages.conversation_id
            and message_totals.last_but_one_place = last_but_one_messages.place

    left join message_totals as partner_messages
        on
            message_totals.conversation_id = partner_messages.conversation_id
            and message_totals.partner_place = partner_messages.place

),

-- The words of messages in order, for what their order decides.
message_sequences as (

    select
        conversation_id,
        turn_number,
        agent_id,
        {{ token_hashes(token_list('token_text')) }} as word_hashes

    from changed_messages

),

-- A message that is shorter than a window is looked at with the agent's four before it.
recent_texts as (

    select
        *,
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
        order by turn_number
        rows between 4 preceding and current row
    )

),

sorted_sequences as (

    select
        conversation_id,
        turn_number,
        agent_id,
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
        conversation_id,
        turn_number,
        agent_id,
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
        ) as anchor

    from linguistic_markers

    where category in ({{ statement_categories() }})

),

phrase_candidates as (

    select
        words.message,
        phrase_markers.category,
        phrase_markers.marker

    from words

    inner join phrase_markers
        on words.word = phrase_markers.anchor

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

    inner join changed_messages
        on phrase_candidates.message = {{ message_hash('changed_messages') }}

    where
        contains(phrase_candidates.marker, '''')
        or contains(
            ' ' || changed_messages.token_text || ' ',
            ' ' || {{ bare_phrase('phrase_candidates.marker') }} || ' '
        )

    group by phrase_candidates.message

)

select
    changed_messages.conversation_id,
    changed_messages.turn_number,
    changed_messages.agent_id,
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
    cast(coalesce(marker_totals.hedge_words, 0) as integer) as hedge_words,
    cast(coalesce(marker_totals.agreement_markers, 0) as integer) as agreement_markers,
    cast(coalesce(marker_totals.disagreement_markers, 0) as integer) as disagreement_markers,
    cast(coalesce(marker_totals.politeness_markers, 0) as integer) as politeness_markers,
    cast(coalesce(marker_totals.first_person_singular, 0) as integer) as first_person_singular,
    cast(coalesce(marker_totals.first_person_plural, 0) as integer) as first_person_plural,
    cast(coalesce(marker_totals.second_person, 0) as integer) as second_person,
    cast(coalesce(marker_totals.third_person, 0) as integer) as third_person,
    cast(coalesce(marker_totals.certainty_words, 0) as integer) as certainty_words,
    cast(coalesce(marker_totals.tentative_words, 0) as integer) as tentative_words,
    cast(coalesce(marker_totals.gratitude_markers, 0) as integer) as gratitude_markers,
    cast(coalesce(marker_totals.discourse_markers, 0) as integer) as discourse_markers,
    cast(coalesce(marker_totals.existential_language, 0) as integer) as existential_language,
    cast(coalesce(marker_totals.meta_commentary, 0) as integer) as meta_commentary,
    message_phrases.statement_markers,
    changed_messages.fingerprint

from changed_messages

inner join message_totals
    on
        changed_messages.conversation_id = message_totals.conversation_id
        and changed_messages.turn_number = message_totals.turn_number
        and changed_messages.agent_id = message_totals.agent_id

inner join message_similarities
    on
        message_totals.conversation_id = message_similarities.conversation_id
        and message_totals.place = message_similarities.place

inner join lexical_diversities
    on
        changed_messages.conversation_id = lexical_diversities.conversation_id
        and changed_messages.turn_number = lexical_diversities.turn_number
        and changed_messages.agent_id = lexical_diversities.agent_id

left join shared_word_totals
    on {{ message_hash('changed_messages') }} = shared_word_totals.message

left join syllable_totals
    on {{ message_hash('changed_messages') }} = syllable_totals.message

left join marker_totals
    on {{ message_hash('changed_messages') }} = marker_totals.message

left join message_phrases
    on {{ message_hash('changed_messages') }} = message_phrases.message
