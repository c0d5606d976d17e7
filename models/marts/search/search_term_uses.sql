{{
    config(
        schema = 'intermediate',
        access = 'private',
        materialized = 'table_function',
        parameters = ['query', 'asked_items'],
        contract = {'enforced': false},
    )
}}

{#- Tables are read where they are needed: of an import for two uses DuckDB copies all columns.

    What the text of a query rules out stays out of the plan, since DuckDB has that text when it
    plans: most queries are words, and a plan for all that could be asked takes longer than these. -#}
{%- set asks_for_parts_of_words = "(contains(query, '*') or strlen(query) > length(query))" -%}

with

items as (

    select unnest(asked_items, max_depth := 2)  -- noqa: RF02

),

item_terms as (

    select
        is_excluded,
        unnest(terms) as asked

    from items

),

terms as (

    select
        asked['term_key'] as term_key,
        asked['term'] as term,
        asked['is_prefix'] as is_prefix,
        asked['is_unspaced'] as is_unspaced,
        asked['found_by'] as found_by,
        not bool_and(is_excluded) as is_scored

    from item_terms

    group by asked

),

-- Words that a search parts and, where parts of words are asked for, all others. A comparison reads
-- the row groups that hold such a value, and `is not null` all.
known_words as (

    select distinct
        word,
        search_words

    from {{ ref('int_word_postings') }}

    where
        search_words >= ''
        or {{ asks_for_parts_of_words }}  -- noqa: RF02

),

-- Which words of the index are uses of a term.
term_words as (

    select
        term_key,
        is_scored,
        term as word,
        1 as uses

    from terms

    where not is_prefix and not is_unspaced

    union all

    select
        terms.term_key,
        terms.is_scored,
        known_words.word,
        if(
            terms.is_prefix or terms.is_unspaced,
            1,
            len(list_filter(
                string_split(known_words.search_words, ' '),
                lambda part: part = terms.term  -- noqa: RF02
            ))
        ) as uses

    from known_words

    inner join terms
        on
            case
                when not terms.is_prefix and not terms.is_unspaced
                    then
                        list_contains(string_split(known_words.search_words, ' '), terms.term)
                when known_words.search_words is not null
                    then contains(' ' || known_words.search_words || ' ', terms.found_by)
                when terms.is_unspaced then contains(known_words.word, terms.term)
                else starts_with(known_words.word, terms.term)
            end

    where known_words.word != ''

),

-- Only several words can be uses of a term in the same text, which then are to be added up.
counted_words as (

    select
        *,
        count(*) over (partition by term_key) > 1 as has_others

    from term_words

),

-- An owner is an agent with its texts of one kind. From here on owners and terms as hashes:
-- numbers are cheaper to carry and compare than text.
found_words as (

    select
        counted_words.term_key,
        counted_words.is_scored,
        counted_words.has_others,
        counted_words.uses as uses_of_word,
        hash(postings.conversation_id, postings.agent_id, postings.text_kind) as owner_key,
        postings.turns,
        postings.uses

    from {{ ref('int_word_postings') }} as postings

    inner join counted_words
        on postings.word = counted_words.word

),

found_uses as (

    select
        term_key,
        is_scored,
        has_others,
        owner_key,
        unnest(turns) as turn_number,
        coalesce(unnest(uses), 1) * uses_of_word as uses

    from found_words

)

select
    term_key,
    is_scored,
    owner_key,
    turn_number,
    uses

from found_uses

where not has_others

union all

select
    term_key,
    is_scored,
    owner_key,
    turn_number,
    cast(sum(uses) as bigint) as uses

from found_uses

where has_others

group by term_key, is_scored, owner_key, turn_number
