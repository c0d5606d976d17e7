{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_message_tokens'},
        contract = {'enforced': true},
    )
}}

{%- set message_key %}
    hash(
        changed_messages.conversation_id, changed_messages.turn_number, changed_messages.agent_id
    )
{%- endset %}

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
        {{ token_list('message_tokens.token_text') }} as tokens,
        message_tokens.fingerprint

    from message_tokens
    {{ only_changed('message_tokens', ref('int_message_tokens')) }}

    where message_tokens.token_text is not null

),

message_histograms as (

    select
        conversation_id,
        turn_number,
        agent_id,
        list_histogram(tokens) as histogram

    from changed_messages

),

-- From here on messages and words as hashes: numbers are cheaper to carry, sort and compare
-- than text.
message_entries as (

    select
        hash(conversation_id) as conversation,
        hash(conversation_id, turn_number, agent_id) as message,
        turn_number,
        agent_id = 'agent_a' as is_agent_a,
        -- Exact, so that sums do not depend on the order of rows.
        cast(1.0 / cardinality(histogram) as decimal(18, 17)) as vocabulary_share,
        unnest(map_keys(histogram)) as word,
        unnest(map_values(histogram)) as occurrences

    from message_histograms

),

words as (

    select
        message,
        turn_number,
        is_agent_a,
        vocabulary_share,
        occurrences,
        hash(word) as word,
        hash(conversation, word) as conversation_word

    from message_entries

),

-- Each use of a word sees the agent's earlier uses of it in the conversation: linear in the
-- number of words, where comparing every message with every earlier one is quadratic.
word_uses as (

    select
        message,
        turn_number,
        is_agent_a,
        conversation_word,
        sum(vocabulary_share) over own_earlier_uses as repeated_shares

    from words

    window own_earlier_uses as (
        partition by conversation_word, is_agent_a
        order by turn_number
        rows between unbounded preceding and 1 preceding
    )

),

word_totals as (

    select
        message,
        count(*) filter (where repeated_shares is null) as new_words,
        sum(repeated_shares) as repeated_shares

    from word_uses

    group by message

),

-- A word that both agents use is shared from the second one's first use on. In a turn, agent
-- B answers A.
first_shared_uses as (

    select max_by(message, 2 * turn_number + if(is_agent_a, 0, 1)) as message

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

)

select
    changed_messages.conversation_id,
    changed_messages.turn_number,
    changed_messages.agent_id,
    row_number() over (
        partition by changed_messages.conversation_id, changed_messages.agent_id
        order by changed_messages.turn_number
    ) - 1 as earlier_messages,
    cast(coalesce(word_totals.new_words, 0) as integer) as new_words,
    cast(coalesce(shared_word_totals.newly_shared_words, 0) as integer) as newly_shared_words,
    cast(coalesce(word_totals.repeated_shares, 0) as double) as repeated_shares,
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
    changed_messages.fingerprint

from changed_messages

left join word_totals
    on {{ message_key }} = word_totals.message

left join shared_word_totals
    on {{ message_key }} = shared_word_totals.message

left join syllable_totals
    on {{ message_key }} = syllable_totals.message

left join marker_totals
    on {{ message_key }} = marker_totals.message
