{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        on_schema_change = 'fail',
        meta = {'fingerprints': 'int_message_tokens'},
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

-- Words and messages as hashes: numbers are cheaper to carry, sort and compare than text.
message_histograms as (

    select
        hash(conversation_id) as conversation,
        hash(conversation_id, turn_number, agent_id) as message,
        turn_number,
        agent_id = 'agent_a' as is_agent_a,
        list_histogram(list_transform(tokens, lambda token: hash(token))) as histogram

    from changed_messages

),

message_entries as (

    select
        conversation,
        message,
        turn_number,
        is_agent_a,
        -- Exact, so that sums do not depend on the order of rows.
        cast(1.0 / cardinality(histogram) as decimal(18, 17)) as vocabulary_share,
        unnest(map_entries(histogram)) as entry

    from message_histograms

),

words as (

    select
        message,
        turn_number,
        is_agent_a,
        vocabulary_share,
        entry['key'] as word,
        entry['value'] as occurrences,
        hash(conversation, entry['key']) as conversation_word

    from message_entries

),

-- Each use of a word sees the earlier uses of it in its conversation: linear in the number
-- of words, where comparing every message with every earlier one is quadratic.
word_uses as (

    select
        message,
        is_agent_a,
        count(*) over earlier_uses as earlier_uses,
        count(*) filter (where is_agent_a) over earlier_uses as earlier_uses_a,
        sum(vocabulary_share) over earlier_uses as earlier_shares,
        sum(vocabulary_share) filter (where is_agent_a) over earlier_uses as earlier_shares_a

    from words

    window earlier_uses as (
        partition by conversation_word
        order by turn_number asc, is_agent_a desc
        rows between unbounded preceding and 1 preceding
    )

),

own_and_partner_uses as (

    select
        message,
        if(is_agent_a, earlier_uses_a, earlier_uses - earlier_uses_a) > 0 as is_own_word,
        if(is_agent_a, earlier_uses - earlier_uses_a, earlier_uses_a) > 0 as is_partner_word,
        if(is_agent_a, earlier_shares_a, earlier_shares - coalesce(earlier_shares_a, 0))
            as own_earlier_shares

    from word_uses

),

word_totals as (

    select
        message,
        count(*) filter (where not is_own_word) as new_words,
        count(*) filter (where not is_own_word and is_partner_word) as newly_shared_words,
        sum(own_earlier_shares) as repeated_shares

    from own_and_partner_uses

    group by message

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
    on {{ message_key }} = word_totals.message

left join marker_totals
    on {{ message_key }} = marker_totals.message
