{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        on_schema_change = 'fail',
        meta = {'fingerprints': 'int_message_tokens'},
    )
}}

with

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

linguistic_markers as (

    select * from {{ ref('linguistic_markers') }}

),

changed_messages as (

    select message_tokens.*

    from message_tokens
    {% if is_incremental() %}
        anti join {{ this }} as processed
            on
                message_tokens.conversation_id = processed.conversation_id
                and message_tokens.fingerprint = processed.fingerprint
    {% endif %}

    where message_tokens.tokens is not null

),

-- Words as hashes: numbers are cheaper to carry and compare than text.
message_histograms as (

    select
        conversation_id,
        turn_number,
        agent_id,
        list_histogram(list_transform(tokens, lambda token: hash(token))) as histogram

    from changed_messages

),

message_entries as (

    select
        conversation_id,
        turn_number,
        agent_id,
        -- Exact, so that sums do not depend on the order of rows.
        cast(1.0 / cardinality(histogram) as decimal(18, 17)) as vocabulary_share,
        unnest(map_entries(histogram)) as entry

    from message_histograms

),

words as (

    select
        conversation_id,
        turn_number,
        agent_id,
        vocabulary_share,
        entry.key as word,
        entry.value as occurrences,
        hash(conversation_id, entry.key) as conversation_word

    from message_entries

),

-- Each use of a word sees the earlier uses of it in its conversation: linear in the number
-- of words, where comparing every message with every earlier one is quadratic.
word_uses as (

    select
        conversation_id,
        turn_number,
        agent_id,
        count(*) filter (where agent_id = 'agent_a') over earlier_uses as earlier_uses_a,
        count(*) filter (where agent_id = 'agent_b') over earlier_uses as earlier_uses_b,
        sum(vocabulary_share) filter (where agent_id = 'agent_a') over earlier_uses
            as earlier_shares_a,
        sum(vocabulary_share) filter (where agent_id = 'agent_b') over earlier_uses
            as earlier_shares_b

    from words

    window earlier_uses as (
        partition by conversation_word
        order by turn_number, agent_id
        rows between unbounded preceding and 1 preceding
    )

),

own_and_partner_uses as (

    select
        conversation_id,
        turn_number,
        agent_id,
        if(agent_id = 'agent_a', earlier_uses_a, earlier_uses_b) > 0 as is_own_word,
        if(agent_id = 'agent_a', earlier_uses_b, earlier_uses_a) > 0 as is_partner_word,
        if(agent_id = 'agent_a', earlier_shares_a, earlier_shares_b) as own_earlier_shares

    from word_uses

),

word_totals as (

    select
        conversation_id,
        turn_number,
        agent_id,
        count(*) filter (where not is_own_word) as new_words,
        count(*) filter (where not is_own_word and is_partner_word) as newly_shared_words,
        sum(own_earlier_shares) as repeated_shares

    from own_and_partner_uses

    group by conversation_id, turn_number, agent_id

),

marker_totals as (

    select
        words.conversation_id,
        words.turn_number,
        words.agent_id,
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

    group by words.conversation_id, words.turn_number, words.agent_id

)

select
    changed_messages.conversation_id,
    changed_messages.turn_number,
    changed_messages.agent_id,
    cast(coalesce(word_totals.new_words, 0) as integer) as new_words,
    cast(coalesce(word_totals.newly_shared_words, 0) as integer) as newly_shared_words,
    cast(coalesce(word_totals.repeated_shares, 0) as double) as repeated_shares,
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
    on
        changed_messages.conversation_id = word_totals.conversation_id
        and changed_messages.turn_number = word_totals.turn_number
        and changed_messages.agent_id = word_totals.agent_id

left join marker_totals
    on
        changed_messages.conversation_id = marker_totals.conversation_id
        and changed_messages.turn_number = marker_totals.turn_number
        and changed_messages.agent_id = marker_totals.agent_id
