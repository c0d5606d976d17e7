{{
    config(
        schema = 'intermediate',
        access = 'private',
        materialized = 'table_function',
        parameters = ['query', 'asked_items', 'from_turn', 'to_turn'],
        contract = {'enforced': false},
    )
}}

with

wanted_terms as (

    select
        list_unique(flatten(list_transform(
            list_filter(asked_items, lambda item: not item['is_excluded']),  -- noqa: RF02
            lambda item: item['term_keys']
        ))) as term_count

),

term_uses as materialized (

    select * from {{ ref('search_term_uses').render() }}(query, asked_items)

),

-- The rows that stand for all words of an owner.
texts as (

    select
        hash(conversation_id, agent_id, text_kind) as owner_key,
        unnest(turns) as turn_number,
        unnest(text_lengths) as text_length

    from {{ ref('int_word_postings') }}

    where fingerprint >= 0

),

text_totals as (

    select
        count(*) as text_count,
        sum(text_length) / count(*) as mean_length

    from texts

),

term_texts as (

    select
        term_key,
        is_scored,
        count(*) as text_count

    from term_uses

    group by term_key, is_scored

),

-- After Robertson and Zaragoza (2009), with a weight of rare words that never is negative. What is
-- only excluded weighs nothing.
term_weights as (

    select
        term_texts.term_key,
        term_texts.is_scored,
        term_texts.text_count,
        text_totals.mean_length,
        if(
            term_texts.is_scored,
            ln(
                1
                + (text_totals.text_count - term_texts.text_count + 0.5)
                / (term_texts.text_count + 0.5)
            ),
            0
        ) as weight

    from term_texts

    cross join text_totals

),

rarest_term as (

    select
        arg_min(term_key, text_count) as term_key,
        any_value(mean_length) as mean_length

    from term_weights

    where is_scored

),

-- Texts that hold the rarest term: no others hold all of them.
likely_texts as (

    select
        texts.owner_key,
        texts.turn_number,
        {{ var('search_k1') }}
        * (
            1 - {{ var('search_b') }}
            + {{ var('search_b') }} * texts.text_length / rarest_term.mean_length
        ) as length_part

    from term_uses

    inner join rarest_term
        on term_uses.term_key = rarest_term.term_key

    inner join texts
        on
            term_uses.owner_key = texts.owner_key
            and term_uses.turn_number = texts.turn_number

    where
        -- noqa: disable=RF02
        term_uses.turn_number >= coalesce(from_turn, -1)
        and (coalesce(to_turn, -1) < 0 or term_uses.turn_number <= to_turn)
        -- noqa: enable=RF02

),

candidates as (

    select
        term_uses.owner_key,
        term_uses.turn_number,
        {{ rounded(
            'sum(term_weights.weight * term_uses.uses'
            ~ ' / (term_uses.uses + likely_texts.length_part))'
        ) }} as score,
        -- Only what is excluded has to be known beside the words that are wanted.
        if(contains(query, '-'), list(term_uses.term_key), null) as term_keys  -- noqa: RF02

    from term_uses

    inner join likely_texts
        on
            term_uses.owner_key = likely_texts.owner_key
            and term_uses.turn_number = likely_texts.turn_number

    inner join term_weights
        on term_uses.term_key = term_weights.term_key

    group by term_uses.owner_key, term_uses.turn_number

    having
        count(*) filter (where term_uses.is_scored)
        = (select wanted_terms.term_count from wanted_terms)

),

-- Of rows of a list DuckDB expects few, of rows of joins more than there are texts. So it looks for
-- the texts of these, and does not read all texts to look for these.
listed_candidates as (

    select unnest(list(candidates), max_depth := 2) from candidates

)

select * from listed_candidates
