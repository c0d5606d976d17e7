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

messages as (

    select * from {{ ref('int_messages') }}

),

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

linguistic_markers as (

    select * from {{ ref('linguistic_markers') }}

),

changed_tokens as (

    select message_tokens.*

    from message_tokens
    {{ only_changed('message_tokens', ref('int_message_tokens')) }}

    where message_tokens.token_text is not null

),

-- By numbers, which are cheaper to carry than the keys.
changed_messages as (

    select
        changed_tokens.*,
        messages.content,
        cast(row_number() over () as integer) as message

    from changed_tokens

    inner join messages
        on
            changed_tokens.conversation_id = messages.conversation_id
            and changed_tokens.turn_number = messages.turn_number
            and changed_tokens.agent_id = messages.agent_id
            and changed_tokens.fingerprint = messages.fingerprint

),

word_uses as (

    select
        message,
        unnest({{ token_list('token_text') }}) as word

    from changed_messages

),

-- Each word is looked at once, however often it is said.
vocabulary as (

    select
        word,
        count(*) as uses,
        {{ syllable_count('word') }} as syllables

    from word_uses

    group by word

),

syllable_totals as (

    select
        word_uses.message,
        sum(vocabulary.syllables) as syllables

    from word_uses

    inner join vocabulary
        on word_uses.word = vocabulary.word

    group by word_uses.message

),

marker_totals as (

    select
        {% for category, column in marker_columns().items() -%}
            count(*) filter (where linguistic_markers.category = '{{ category }}') as {{ column }},
        {% endfor -%}
        word_uses.message

    from word_uses

    inner join linguistic_markers
        on word_uses.word = linguistic_markers.marker

    group by word_uses.message

),

-- Words with apostrophes aside, since curly apostrophes part words.
phrase_words as (

    select
        category,
        marker,
        unnest(string_split({{ bare_phrase('marker') }}, ' ')) as word

    from linguistic_markers

    where category in ({{ sql_strings(statement_categories()) }})

),

-- Phrases are looked for where their rarest word is.
phrases as (

    select
        phrase_words.category,
        phrase_words.marker,
        ' ' || replace({{ bare_phrase('phrase_words.marker') }}, '''', ' ') || ' ' as searched_text,
        arg_min(phrase_words.word, coalesce(vocabulary.uses, 0)) as rarest_word

    from phrase_words

    left join vocabulary
        on phrase_words.word = vocabulary.word

    where not contains(phrase_words.word, '''')

    group by phrase_words.category, phrase_words.marker

),

phrase_candidates as (

    select distinct
        word_uses.message,
        phrases.category,
        phrases.marker,
        phrases.searched_text

    from word_uses

    inner join phrases
        on word_uses.word = phrases.rarest_word

),

-- Words alone cannot tell where a sentence ends, nor an apostrophe from a quotation mark: of the
-- few messages that are left, each statement is looked at.
message_phrases as (

    select
        phrase_candidates.message,
        list(
            struct_pack(
                category := phrase_candidates.category, marker := phrase_candidates.marker
            )
        ) as markers

    from phrase_candidates

    inner join changed_messages
        on phrase_candidates.message = changed_messages.message

    where
        contains(
            ' ' || replace(changed_messages.token_text, '''', ' ') || ' ',
            phrase_candidates.searched_text
        )

    group by phrase_candidates.message

),

message_statements as (

    select
        message_phrases.message,
        message_phrases.markers,
        {{ statements('changed_messages.content') }} as statements

    from message_phrases

    inner join changed_messages
        on message_phrases.message = changed_messages.message

),

statement_totals as (

    select
        {% for category in statement_categories() -%}
            {{ marked_statements('statements', 'markers', category) }} as {{ category }}_statements,
        {% endfor -%}
        message

    from message_statements

)

select
    changed_messages.conversation_id,
    changed_messages.turn_number,
    changed_messages.agent_id,
    cast(coalesce(syllable_totals.syllables, 0) as integer) as syllables,
    {% for column in marker_columns().values() -%}
        cast(coalesce(marker_totals.{{ column }}, 0) as integer) as {{ column }},
    {% endfor -%}
    {% for category in statement_categories() -%}
        cast(coalesce(statement_totals.{{ category }}_statements, 0) as integer)
            as {{ category }}_statements,
    {% endfor -%}
    changed_messages.fingerprint

from changed_messages

left join syllable_totals
    on changed_messages.message = syllable_totals.message

left join marker_totals
    on changed_messages.message = marker_totals.message

left join statement_totals
    on changed_messages.message = statement_totals.message
