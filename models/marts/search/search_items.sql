{{
    config(
        schema = 'intermediate',
        access = 'private',
        materialized = 'table_function',
        parameters = ['query'],
        contract = {'enforced': false},
    )
}}

with

-- Patterns of what is beyond ASCII, as a column: DuckDB then compiles them only where it meets such
-- text, and they would take longer than the rest of a query.
patterns as (

    select
        unnest([{
            'gap': '[^{{ word_characters() }}]+|ʼ+',
            'final_sigma': '{{ final_sigma() }}',
            'kana': '{{ kana() }}',
            'unspaced': '([{{ unspaced_letters() }}]+)',
            'unspaced_begin': '^[{{ unspaced_letters() }}]',
            'unspaced_end': '[{{ unspaced_letters() }}]$'
        }]) as pattern

),

-- Words, "phrases", each of them -excluded or not, and prefix*.
asked_items as (

    select
        pattern,
        unnest(
            list_distinct(
                list_slice(
                    regexp_extract_all(
                        translate(
                            left(query, {{ var('search_query_length') }}),  -- noqa: RF02
                            '“”„‟',
                            '""""'
                        ),
                        '-?"[^"]*"?|[^"{{ whitespace() }}]+'
                    ),
                    1,
                    {{ var('search_query_items') }}
                )
            )
        ) as item

    from patterns

),

item_words as (

    select
        pattern,
        item,
        -- In a list of one, or DuckDB would compute them for each use.
        unnest([{{ asked_words('item', 'pattern') }}]) as exact_words

    from asked_items

),

item_plain_words as (

    select
        *,
        unnest([{{ without_accents('exact_words', "pattern['kana']") }}]) as plain_words

    from item_words

    where exact_words != ''

),

items as (

    select
        pattern,
        item,
        starts_with(item, '-') as is_excluded,
        contains(item, '"') as is_exact,
        not contains(item, '"') and ends_with(item, '*') as is_prefix,
        exact_words,
        plain_words,
        string_split(plain_words, ' ') as words

    from item_plain_words

),

item_terms as (

    select
        * exclude (words),
        list_distinct(list_transform(
            range(1, len(words) + 1),
            lambda place: {
                'term': words[place],
                -- Of a phrase with an asterisk only the last word is a beginning.
                'is_prefix': is_prefix and place = len(words)
            }
        )) as terms

    from items

),

asked_terms as (

    select
        * exclude (terms),
        list_transform(
            terms,
            lambda asked: {
                'term': asked['term'],
                'is_prefix': asked['is_prefix'],
                'is_unspaced': strlen(asked['term']) > length(asked['term'])
                and regexp_matches(asked['term'], pattern['unspaced']),
                'term_key': hash(asked['term'], asked['is_prefix']),
                'found_by': {{ search_pattern("asked['term']", "asked['is_prefix']", 'pattern') }}
            }
        ) as terms

    from item_terms

)

select
    item,
    is_excluded,
    is_exact,
    -- The index knows neither accents nor which words stand side by side.
    is_exact or contains(plain_words, ' ') as is_checked,
    {{ search_pattern('if(is_exact, exact_words, plain_words)', 'is_prefix', 'pattern') }}
        as found_by,
    terms,
    list_transform(terms, lambda asked: asked['term_key']) as term_keys

from asked_terms
