{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed_texts',
        unique_key = ['conversation_id', 'text_kind'],
        meta = {'fingerprints': 'int_texts'},
        contract = {'enforced': true},
    )
}}

with

texts as (

    select * from {{ ref('int_texts') }}

),

-- With all texts of a conversation or none: after a partial build their words may be
-- of another state.
changed_states as (

    select
        conversation_id,
        text_kind,
        fingerprint

    from texts
    {% if is_incremental() %}
        where
            (conversation_id, text_kind, fingerprint) not in (
                select
                    known.conversation_id,
                    known.text_kind,
                    known.fingerprint
                from {{ this }} as known
                where known.fingerprint is not null
            )
    {% endif %}

    group by conversation_id, text_kind, fingerprint

    having bool_and(token_text is not null)

),

changed_texts as materialized (

    select
        texts.conversation_id,
        texts.agent_id,
        texts.text_kind,
        texts.turn_number,
        texts.token_text,
        texts.has_tokens,
        texts.fingerprint

    from texts

    semi join changed_states
        on
            texts.conversation_id = changed_states.conversation_id
            and texts.text_kind = changed_states.text_kind
            and texts.fingerprint = changed_states.fingerprint

),

word_uses as (

    select
        conversation_id,
        agent_id,
        text_kind,
        turn_number,
        unnest({{ token_list('token_text') }}) as word

    from changed_texts

),

words as (

    select
        conversation_id,
        agent_id,
        text_kind,
        word,
        list(turn_number) as turns

    from word_uses

    group by conversation_id, agent_id, text_kind, word

),

-- Most words are used once in each of their texts, and need no counting.
counted_words as (

    select
        *,
        if(
            len(turns) = 1 or list_unique(turns) = len(turns), null, list_histogram(turns)
        ) as turn_uses

    from words

),

text_lengths as (

    select
        conversation_id,
        agent_id,
        text_kind,
        turn_number,
        if(has_tokens, null, token_text) as own_token_text,
        {{ search_words('token_text') }} as search_words,
        fingerprint

    from changed_texts

),

totals as (

    select
        conversation_id,
        agent_id,
        text_kind,
        list(turn_number order by turn_number) as turns,
        list(
            cast(if(search_words = '', 0, len(string_split(search_words, ' '))) as integer)
            order by turn_number
        ) as text_lengths,
        if(
            count(own_token_text) = 0, null, list(own_token_text order by turn_number)
        ) as token_texts,
        fingerprint

    from text_lengths

    group by conversation_id, agent_id, text_kind, fingerprint

),

postings as (

    select
        conversation_id,
        agent_id,
        text_kind,
        word,
        nullif({{ without_accents(search_words('word')) }}, word) as search_words,
        -- Sorted afterwards, which is far cheaper than in the order of each list.
        if(turn_uses is null, list_sort(turns), map_keys(turn_uses)) as turns,
        cast(map_values(turn_uses) as integer[]) as uses,
        cast(null as integer[]) as text_lengths,
        cast(null as varchar[]) as token_texts,
        cast(null as ubigint) as fingerprint

    from counted_words

    union all

    select
        conversation_id,
        agent_id,
        text_kind,
        '' as word,
        null as search_words,
        turns,
        null as uses,
        text_lengths,
        token_texts,
        fingerprint

    from totals

)

select
    conversation_id,
    agent_id,
    text_kind,
    word,
    search_words,
    turns,
    uses,
    text_lengths,
    token_texts,
    fingerprint

from postings

-- So that a question about a word reads the rows of its neighbourhood only, and that what
-- they share is stored once.
order by search_words is not null, word, conversation_id, agent_id, text_kind
