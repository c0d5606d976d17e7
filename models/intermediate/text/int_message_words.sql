{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_message_tokens'},
        contract = {'enforced': true},
    )
}}

with

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

changed_messages as (

    select
        message_tokens.conversation_id,
        message_tokens.turn_number,
        message_tokens.agent_id,
        list_distinct({{ token_hashes(token_list('message_tokens.token_text')) }}) as vocabulary,
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
        cast(row_number() over (order by conversation_id, turn_number, agent_id) as integer)
            as message,
        len(vocabulary) as vocabulary_size

    from changed_messages

),

-- The messages that each one is compared with.
earlier_messages as (

    select
        conversation_id,
        turn_number,
        agent_id,
        message,
        vocabulary_size,
        row_number() over own_messages - 1 as earlier_messages,
        lag(message) over own_messages as last_message,
        lag(vocabulary_size) over own_messages as last_vocabulary_size,
        lag(message, 2) over own_messages as last_but_one_message,
        lag(vocabulary_size, 2) over own_messages as last_but_one_vocabulary_size,
        if(
            agent_id = 'agent_a',
            max(message) filter (where agent_id = 'agent_b') over messages_before,
            max(message) filter (where agent_id = 'agent_a') over messages_before
        ) as partner_message,
        fingerprint

    from numbered_messages

    window
        own_messages as (partition by conversation_id, agent_id order by message),
        messages_before as (
            partition by conversation_id order by message
            rows between unbounded preceding and 1 preceding
        )

),

message_vocabularies as (

    select
        earlier_messages.message,
        earlier_messages.last_message,
        earlier_messages.last_but_one_message,
        earlier_messages.partner_message,
        hash(earlier_messages.conversation_id) as conversation,
        hash(earlier_messages.conversation_id, earlier_messages.agent_id) as speaker,
        -- Exact, so that sums do not depend on the order of rows.
        cast(1.0 / earlier_messages.vocabulary_size as decimal(18, 17)) as vocabulary_share,
        unnest(numbered_messages.vocabulary) as word

    from earlier_messages

    inner join numbered_messages
        on earlier_messages.message = numbered_messages.message

),

words as (

    select
        * exclude (conversation, speaker),
        hash(conversation, word) as conversation_word,
        hash(speaker, word) as speaker_word

    from message_vocabularies

),

-- Each use of a word sees the agent's earlier uses of it: linear in the number of words, where
-- comparing every message with every earlier one is quadratic.
word_uses as (

    select
        message,
        last_message,
        last_but_one_message,
        conversation_word,
        sum(vocabulary_share) over earlier_uses as repeated_shares,
        lag(message) over uses as last_use,
        lag(message, 2) over uses as last_use_but_one

    from words

    window
        uses as (partition by speaker_word order by message),
        earlier_uses as (
            partition by speaker_word order by message
            rows between unbounded preceding and 1 preceding
        )

),

word_totals as (

    select
        message,
        count(*) filter (where last_use is null) as new_words,
        sum(repeated_shares) as repeated_shares,
        count(*) filter (where last_message = last_use) as words_of_last,
        count(*) filter (where last_but_one_message in (last_use, last_use_but_one))
            as words_of_last_but_one

    from word_uses

    group by message

),

partner_word_totals as (

    select
        words.message,
        count(*) as words_of_partner

    from words

    semi join words as partner_words
        on
            words.partner_message = partner_words.message
            and words.word = partner_words.word

    group by words.message

),

-- A word that both agents use is shared from the second one's first use on.
first_shared_uses as (

    select max(message) as message

    from word_uses

    where last_use is null

    group by conversation_word

    having count(*) = 2

),

shared_word_totals as (

    select
        message,
        count(*) as newly_shared_words

    from first_shared_uses

    group by message

)

select
    earlier_messages.conversation_id,
    earlier_messages.turn_number,
    earlier_messages.agent_id,
    earlier_messages.earlier_messages,
    cast(coalesce(word_totals.new_words, 0) as integer) as new_words,
    cast(coalesce(shared_word_totals.newly_shared_words, 0) as integer) as newly_shared_words,
    {% for agent in ['a', 'b'] -%}
        cast(
            coalesce(
                sum(word_totals.new_words) filter (
                    where earlier_messages.agent_id = 'agent_{{ agent }}'
                ) over so_far,
                0
            ) as integer
        ) as {{ agent }}_words_so_far,
    {% endfor -%}
    cast(coalesce(sum(shared_word_totals.newly_shared_words) over so_far, 0) as integer)
        as shared_words_so_far,
    cast(coalesce(word_totals.repeated_shares, 0) as double) as repeated_shares,
    -- Shares of the words of two messages, in either, that are in both.
    {{ jaccard_of_overlap(
        'earlier_messages.vocabulary_size', 'earlier_messages.last_vocabulary_size',
        'coalesce(word_totals.words_of_last, 0)'
    ) }} as similarity_to_last,
    {{ jaccard_of_overlap(
        'earlier_messages.vocabulary_size', 'earlier_messages.last_but_one_vocabulary_size',
        'coalesce(word_totals.words_of_last_but_one, 0)'
    ) }} as similarity_to_last_but_one,
    {{ jaccard_of_overlap(
        'earlier_messages.vocabulary_size', 'partner_messages.vocabulary_size',
        'coalesce(partner_word_totals.words_of_partner, 0)'
    ) }} as similarity_to_partner,
    earlier_messages.fingerprint

from earlier_messages

left join earlier_messages as partner_messages
    on earlier_messages.partner_message = partner_messages.message

left join word_totals
    on earlier_messages.message = word_totals.message

left join partner_word_totals
    on earlier_messages.message = partner_word_totals.message

left join shared_word_totals
    on earlier_messages.message = shared_word_totals.message

window so_far as (
    partition by earlier_messages.conversation_id order by earlier_messages.message
)
