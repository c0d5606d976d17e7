{{
    config(
        materialized = 'table_function',
        parameters = [
            'query', 'max_hits := -1', "of_experiment := ''", "of_model := ''",
            "of_agent := ''", 'from_turn := -1', 'to_turn := -1', "since := '-infinity'",
            "marks := '«»'",
        ],
        contract = {'enforced': false},
    )
}}

{#- Parameters have no NULL and no list by default: DuckLake cannot read those back. -#}

{#- Tables are read where they are needed: of an import for two uses DuckDB copies all columns.

    What the text of a query rules out stays out of the plan, since DuckDB has that text when it
    plans: most queries are words, and a plan for all that could be asked takes longer than these. -#}
{%- set asks_for_parts_of_words = "(contains(query, '*') or strlen(query) > length(query))" -%}
{%- set asks_for_a_time = "coalesce(cast(since as varchar), '-infinity') != '-infinity'" -%}
{%- set excludes_something = "contains(query, '-')" -%}
{#- More than words with spaces between them, a `-` before one and a `*` behind. -#}
{%- set asks_for_more_than_words = "regexp_matches(query, '[^A-Za-z0-9_ *-]|[*][^ ]|[^ -]-')" -%}

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

-- What is asked for: words, "phrases", each of them -excluded or not, and prefix*.
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
        plain_words,
        {{ search_pattern('if(is_exact, exact_words, plain_words)', 'is_prefix', 'pattern') }}
            as found_by,
        -- The index knows neither accents nor which words stand side by side.
        is_exact or contains(plain_words, ' ') as is_checked

    from item_plain_words

),

item_terms as (

    select
        pattern,
        item,
        is_excluded,
        unnest(string_split(plain_words, ' ')) as term,
        -- Of a phrase with an asterisk only the last word is a beginning.
        is_prefix
        and generate_subscripts(string_split(plain_words, ' '), 1)
        = len(string_split(plain_words, ' ')) as is_prefix

    from items

),

terms as (

    select
        term,
        is_prefix,
        hash(term, is_prefix) as term_key,
        {{ search_pattern('term', 'is_prefix', 'any_value(pattern)') }} as found_by,
        strlen(term) > length(term) and regexp_matches(term, any_value(pattern)['unspaced'])
            as is_unspaced,
        not bool_and(is_excluded) as is_scored

    from item_terms

    group by term, is_prefix

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

),

term_uses as materialized (

    select * exclude (has_others)

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
        count(*) as text_count

    from term_uses

    where is_scored

    group by term_key

),

-- After Robertson and Zaragoza (2009), with a weight of rare words that never is negative.
term_weights as (

    select
        term_texts.term_key,
        term_texts.text_count,
        text_totals.mean_length,
        ln(
            1
            + (text_totals.text_count - term_texts.text_count + 0.5)
            / (term_texts.text_count + 0.5)
        ) as weight

    from term_texts

    cross join text_totals

),

rarest_term as (

    select
        arg_min(term_key, text_count) as term_key,
        any_value(mean_length) as mean_length

    from term_weights

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

wanted_terms as (

    select count(*) as term_count

    from terms

    where is_scored

),

-- Texts that hold every wanted word, wherever.
candidates as (

    select
        term_uses.owner_key,
        term_uses.turn_number,
        {{ rounded(
            'sum(term_weights.weight * term_uses.uses'
            ~ ' / (term_uses.uses + likely_texts.length_part))'
        ) }} as score

    from term_uses

    inner join likely_texts
        on
            term_uses.owner_key = likely_texts.owner_key
            and term_uses.turn_number = likely_texts.turn_number

    inner join term_weights
        on term_uses.term_key = term_weights.term_key

    group by term_uses.owner_key, term_uses.turn_number

    having count(*) = (select wanted_terms.term_count from wanted_terms)

),

owners as (

    select
        hash(postings.conversation_id, postings.agent_id, postings.text_kind) as owner_key,
        postings.conversation_id,
        postings.agent_id,
        postings.text_kind,
        conversations.experiment_id

    from {{ ref('int_word_postings') }} as postings

    inner join {{ ref('conversations') }} as conversations
        on postings.conversation_id = conversations.conversation_id

    left join {{ ref('experiments') }} as experiments
        on conversations.experiment_id = experiments.experiment_id

    where
        postings.fingerprint >= 0
        -- noqa: disable=RF02
        and (
            coalesce(of_experiment, '') = ''
            or conversations.experiment_id = of_experiment
            or experiments.name = of_experiment
        )
        and (
            coalesce(of_model, '') = ''
            or of_model = if(
                postings.agent_id = 'agent_a',
                conversations.agent_a_model,
                conversations.agent_b_model
            )
        )
        and coalesce(of_agent, '') in ('', postings.agent_id)
        -- noqa: enable=RF02

),

excluded_terms as (

    select
        item,
        hash(term, is_prefix) as term_key,
        count(*) over (partition by item) as term_count

    from item_terms

    where is_excluded

    group by item, term, is_prefix

),

excluding_items as (

    select
        excluded_terms.item,
        term_uses.owner_key,
        term_uses.turn_number

    from term_uses

    inner join excluded_terms
        on term_uses.term_key = excluded_terms.term_key

    semi join candidates
        on
            term_uses.owner_key = candidates.owner_key
            and term_uses.turn_number = candidates.turn_number

    where {{ excludes_something }}  -- noqa: RF02

    group by excluded_terms.item, term_uses.owner_key, term_uses.turn_number

    having count(*) = any_value(excluded_terms.term_count)

),

checked_items as (

    select
        items.*,
        candidates.owner_key,
        candidates.turn_number

    from candidates

    cross join items

    where
        items.is_checked
        and not items.is_excluded

    union all

    select
        items.*,
        excluding_items.owner_key,
        excluding_items.turn_number

    from excluding_items

    inner join items
        on excluding_items.item = items.item

    where items.is_checked

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

-- Texts that lack what is to be checked, hold what is excluded, or are too old.
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
        excluding_items.owner_key,
        excluding_items.turn_number

    from excluding_items

    inner join items
        on excluding_items.item = items.item

    where
        not items.is_checked
        and {{ excludes_something }}  -- noqa: RF02

    union all

    select
        hash(conversation_id, agent_id, 'message') as owner_key,
        turn_number

    from {{ ref('int_messages') }}

    where
        {{ asks_for_a_time }}
        and (sent_at >= since) is not true

    union all

    select
        hash(conversation_id, agent_id, 'thinking') as owner_key,
        turn_number

    from {{ ref('int_thinking_traces') }}

    where
        {{ asks_for_a_time }}
        and (thought_at >= since) is not true

),

found_texts as (

    select
        owners.conversation_id,
        owners.agent_id,
        owners.text_kind,
        candidates.turn_number,
        owners.experiment_id,
        candidates.score

    from candidates

    anti join refused_texts
        on
            candidates.owner_key = refused_texts.owner_key
            and candidates.turn_number = refused_texts.turn_number

    inner join owners
        on candidates.owner_key = owners.owner_key

),

hits as materialized (

    select *

    from found_texts

    order by score desc, conversation_id asc, turn_number asc, agent_id asc, text_kind asc

    -- noqa: disable=RF02
    limit if(max_hits < 0, null, cast(floor(cast(max_hits as double)) as bigint))
    -- noqa: enable=RF02

),

-- What is to be marked in a snippet.
marked_terms as (

    select
        coalesce(list(term) filter (where not is_prefix and not is_unspaced), []) as whole_terms,
        coalesce(list(term) filter (where is_prefix and not is_unspaced), []) as prefixes,
        coalesce(list(term) filter (where is_unspaced), []) as unspaced_terms

    from terms

    where is_scored

),

-- Where the texts of hits stand in their tables: by these numbers, few others are read.
hit_rows as (

    select
        hits.*,
        messages.rowid as row_of_text

    from {{ ref('int_messages') }} as messages

    inner join hits
        on
            messages.conversation_id = hits.conversation_id
            and messages.agent_id = hits.agent_id
            and messages.turn_number = hits.turn_number

    where hits.text_kind = 'message'

    union all

    select
        hits.*,
        thinking_traces.rowid as row_of_text

    from {{ ref('int_thinking_traces') }} as thinking_traces

    inner join hits
        on
            thinking_traces.conversation_id = hits.conversation_id
            and thinking_traces.agent_id = hits.agent_id
            and thinking_traces.turn_number = hits.turn_number

    where hits.text_kind = 'thinking'

),

hit_texts as materialized (

    select
        hit_rows.*,
        messages.sent_at,
        messages.content

    from {{ ref('int_messages') }} as messages

    inner join hit_rows
        on messages.rowid = hit_rows.row_of_text

    where hit_rows.text_kind = 'message'

    union all

    select
        hit_rows.*,
        thinking_traces.thought_at as sent_at,
        thinking_traces.thinking_content as content

    from {{ ref('int_thinking_traces') }} as thinking_traces

    inner join hit_rows
        on thinking_traces.rowid = hit_rows.row_of_text

    where hit_rows.text_kind = 'thinking'

),

spaced_texts as (

    select
        * exclude (content),
        {{ spaced_text('content') }} as content

    from hit_texts

),

-- Words and what parts them, in turn; letters of scripts without spaces one by one, where such a
-- term is looked for. No text holds what is put around words: it is white space, and now spaces.
parted_texts as (

    select
        spaced_texts.*,
        marked_terms.*,
        if(
            len(marked_terms.unspaced_terms) = 0,
            regexp_replace(
                spaced_texts.content,
                '[{{ word_characters() }}]+',
                chr(31) || '\0' || chr(31),
                'g'
            ),
            regexp_replace(
                spaced_texts.content,
                array_to_string(marked_terms.unspaced_terms, '|')
                || '|[{{ unspaced_letters() }}]|[{{ word_characters() }}]+',
                chr(31) || '\0' || chr(31),
                'g'
            )
        ) as parted_content

    from spaced_texts

    cross join marked_terms

),

pieces as (

    select
        *,
        list_filter(
            string_split(parted_content, chr(31)), lambda piece: piece != ''
        ) as pieces

    from parted_texts

),

plain_pieces as (

    select
        *,
        list_transform(
            pieces,
            lambda piece: if(
                strlen(piece) = length(piece),
                lower(piece),
                if(
                    regexp_matches(piece, '{{ kana() }}'), lower(piece), strip_accents(lower(piece))
                )
            )
        ) as plain_pieces

    from pieces

),

-- The word that a piece is a use of, NULL where it is none.
found_pieces as (

    select
        *,
        list_transform(
            plain_pieces,
            lambda piece: if(
                list_contains(whole_terms, piece)
                or list_contains(unspaced_terms, piece)
                or len(list_filter(prefixes, lambda prefix: starts_with(piece, prefix))) > 0,
                piece,
                null
            )
        ) as found_pieces

    from plain_pieces

),

-- Where most of the words stand together, the first such place.
places as (

    select
        *,
        list_max(
            list_transform(
                list_filter(
                    range(1, len(pieces) + 1), lambda place: found_pieces[place] is not null
                ),
                lambda place: {
                    'words': list_unique(found_pieces[place:place + 50]),
                    'before': -place
                }
            )
        ) as best_place

    from found_pieces

),

windows as (

    select
        *,
        greatest(1, coalesce(-best_place['before'], 1) - 14) as begin_place,
        begin_place + 64 as end_place

    from places

),

snippets as (

    select
        *,
        if(begin_place > 1, '…', '')
        || trim(array_to_string(
            list_transform(
                range(begin_place, least(end_place, len(pieces)) + 1),
                lambda place: if(
                    found_pieces[place] is null,
                    pieces[place],
                    marks[1] || pieces[place] || marks[2]
                )
            ),
            ''
        ))
        || if(end_place < len(pieces), '…', '') as snippet

    from windows

)

select
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    text_kind,
    sent_at,
    score,
    snippet

from snippets

order by score desc, conversation_id asc, turn_number asc, agent_id asc, text_kind asc
