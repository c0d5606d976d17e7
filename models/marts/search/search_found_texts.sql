{{
    config(
        schema = 'intermediate',
        access = 'private',
        materialized = 'table_function',
        parameters = ['query', 'asked_items', 'from_turn', 'to_turn'],
        contract = {'enforced': false},
    )
}}

{#- What the text of a query rules out stays out of the plan: see search_term_uses. -#}
{%- set excludes_something = "contains(query, '-')" -%}
{#- More than words with spaces between them, a `-` before one and a `*` behind. -#}
{%- set asks_for_more_than_words = "regexp_matches(query, '[^A-Za-z0-9_ *-]|[*][^ ]|[^ -]-')" -%}

with

items as (

    select unnest(asked_items, max_depth := 2)  -- noqa: RF02

),

candidates as (

    select *

    from
        {{ ref('search_candidates').render() }}(
            query, asked_items, from_turn, to_turn
        )

),

-- Candidates that hold all words of what is excluded, wherever.
excluding_items as (

    select
        items.is_excluded,
        items.is_exact,
        items.is_checked,
        items.found_by,
        candidates.owner_key,
        candidates.turn_number

    from candidates

    inner join items
        on list_has_all(candidates.term_keys, items.term_keys)

    where
        items.is_excluded
        and {{ excludes_something }}  -- noqa: RF02

),

checked_items as (

    select
        items.is_excluded,
        items.is_exact,
        items.is_checked,
        items.found_by,
        candidates.owner_key,
        candidates.turn_number

    from candidates

    cross join items

    where
        items.is_checked
        and not items.is_excluded

    union all

    select *

    from excluding_items

    where is_checked

),

token_texts as (

    select
        hash(conversation_id, agent_id, 'message') as owner_key,
        turn_number,
        token_text

    from {{ ref('int_message_tokens') }}

    union all

    select
        hash(conversation_id, agent_id, text_kind) as owner_key,
        unnest(turns) as turn_number,
        unnest(token_texts) as token_text

    from {{ ref('int_word_postings') }}

    where token_texts is not null

),

checked_texts as (

    select
        token_texts.owner_key,
        token_texts.turn_number,
        {{ search_words('token_texts.token_text') }} as exact_words

    from token_texts

    semi join checked_items
        on
            token_texts.owner_key = checked_items.owner_key
            and token_texts.turn_number = checked_items.turn_number

    where token_texts.token_text is not null

),

-- Texts that lack what is to be checked, or hold what is excluded.
refused_texts as (

    select
        checked_items.owner_key,
        checked_items.turn_number

    from checked_items

    inner join checked_texts
        on
            checked_items.owner_key = checked_texts.owner_key
            and checked_items.turn_number = checked_texts.turn_number

    where
        checked_items.is_excluded = contains(
            ' '
            || if(
                checked_items.is_exact,
                checked_texts.exact_words,
                {{ without_accents('checked_texts.exact_words') }}
            )
            || ' ',
            checked_items.found_by
        )
        and {{ asks_for_more_than_words }}  -- noqa: RF02

    union all

    select
        owner_key,
        turn_number

    from excluding_items

    where not is_checked

)

select
    candidates.owner_key,
    candidates.turn_number,
    candidates.score

from candidates

anti join refused_texts
    on
        candidates.owner_key = refused_texts.owner_key
        and candidates.turn_number = refused_texts.turn_number
