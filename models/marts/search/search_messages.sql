{{
    config(
        materialized = 'table_function',
        parameters = [
            'query', 'max_hits := null', 'of_experiment := null', 'of_model := null',
            'of_agent := null', 'from_turn := null', 'to_turn := null', 'since := null',
            "marks := ['«', '»']",
        ],
        contract = {'enforced': false},
    )
}}

{#- Tables are read where they are needed: of an import for two uses DuckDB copies all columns. -#}

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
        is_prefix,
        unnest(string_split(plain_words, ' ')) as term,
        generate_subscripts(string_split(plain_words, ' '), 1) as place,
        len(string_split(plain_words, ' ')) as term_count

    from items

),

-- Of a phrase with an asterisk only the last word is a beginning.
distinct_item_terms as (

    select distinct
        pattern,
        item,
        is_excluded,
        term,
        is_prefix and place = term_count as is_prefix

    from item_terms

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

    from distinct_item_terms

    group by term, is_prefix

),

whole_terms as (

    select *

    from terms

    where not is_prefix and not is_unspaced

),

partial_terms as (

    select *

    from terms

    where is_prefix or is_unspaced

),

-- Words that a search parts, by their parts.
parted_words as (

    select
        conversation_id,
        agent_id,
        text_kind,
        turns,
        unnest(string_split(search_words, ' ')) as part

    from {{ ref('int_word_postings') }}

    where search_words is not null

),

found_words as (

    select
        whole_terms.term_key,
        postings.conversation_id,
        postings.agent_id,
        postings.text_kind,
        postings.turns

    from {{ ref('int_word_postings') }} as postings

    inner join whole_terms
        on postings.word = whole_terms.term

    where postings.search_words is null

    union all

    select
        whole_terms.term_key,
        parted_words.conversation_id,
        parted_words.agent_id,
        parted_words.text_kind,
        parted_words.turns

    from parted_words

    inner join whole_terms
        on parted_words.part = whole_terms.term

    union all

    select
        partial_terms.term_key,
        postings.conversation_id,
        postings.agent_id,
        postings.text_kind,
        postings.turns

    from {{ ref('int_word_postings') }} as postings

    inner join partial_terms
        on
            case
                when postings.search_words is not null
                    then contains(' ' || postings.search_words || ' ', partial_terms.found_by)
                when partial_terms.is_unspaced then contains(postings.word, partial_terms.term)
                else starts_with(postings.word, partial_terms.term)
            end

    where postings.word != ''

),

-- An owner is an agent with its texts of one kind. From here on owners and terms as hashes:
-- numbers are cheaper to carry and compare than text.
owners as (

    select
        hash(conversation_id, agent_id, text_kind) as owner_key,
        conversation_id,
        agent_id,
        text_kind,
        turns,
        text_lengths

    from {{ ref('int_word_postings') }}

    where word = ''

),

text_totals as (

    select
        sum(len(text_lengths)) as text_count,
        sum(list_sum(text_lengths)) / text_count as mean_length

    from owners

),

found_uses as (

    select
        term_key,
        hash(conversation_id, agent_id, text_kind) as owner_key,
        unnest(turns) as turn_number

    from found_words

),

term_uses as materialized (

    select
        term_key,
        owner_key,
        turn_number,
        count(*) as uses

    from found_uses

    group by term_key, owner_key, turn_number

),

-- After Robertson and Zaragoza (2009), with a weight of rare words that never is negative.
term_weights as (

    select
        term_uses.term_key,
        ln(1 + (any_value(text_totals.text_count) - count(*) + 0.5) / (count(*) + 0.5)) as weight

    from term_uses

    semi join terms
        on
            term_uses.term_key = terms.term_key
            and terms.is_scored

    cross join text_totals

    group by term_uses.term_key

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
        list(struct_pack(uses := term_uses.uses, weight := term_weights.weight)) as found_terms

    from term_uses

    inner join term_weights
        on term_uses.term_key = term_weights.term_key

    group by term_uses.owner_key, term_uses.turn_number

    having count(*) = (select wanted_terms.term_count from wanted_terms)

),

excluded_terms as (

    select
        distinct_item_terms.item,
        terms.term_key,
        count(*) over (partition by distinct_item_terms.item) as term_count

    from distinct_item_terms

    inner join terms
        on
            distinct_item_terms.term = terms.term
            and distinct_item_terms.is_prefix = terms.is_prefix

    where distinct_item_terms.is_excluded

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

    group by excluded_terms.item, term_uses.owner_key, term_uses.turn_number

    having count(*) = any_value(excluded_terms.term_count)

),

checked_items as (

    select
        items.item,
        candidates.owner_key,
        candidates.turn_number

    from candidates

    cross join items

    where
        items.is_checked
        and not items.is_excluded

    union all

    select
        items.item,
        excluding_items.owner_key,
        excluding_items.turn_number

    from excluding_items

    inner join items
        on excluding_items.item = items.item

    where items.is_checked

),

token_texts as (

    select
        conversation_id,
        agent_id,
        'message' as text_kind,
        turn_number,
        token_text

    from {{ ref('int_message_tokens') }}

    where token_text is not null

    union all

    select
        conversation_id,
        agent_id,
        text_kind,
        unnest(turns) as turn_number,
        unnest(token_texts) as token_text

    from {{ ref('int_word_postings') }}

    where token_texts is not null

),

checked_owners as (

    select owners.*

    from owners

    semi join checked_items
        on owners.owner_key = checked_items.owner_key

),

checked_texts as (

    select
        checked_owners.owner_key,
        token_texts.turn_number,
        {{ search_words('token_texts.token_text') }} as exact_words

    from token_texts

    inner join checked_owners
        on
            token_texts.conversation_id = checked_owners.conversation_id
            and token_texts.agent_id = checked_owners.agent_id
            and token_texts.text_kind = checked_owners.text_kind

    semi join checked_items
        on
            checked_owners.owner_key = checked_items.owner_key
            and token_texts.turn_number = checked_items.turn_number

    where token_texts.token_text is not null

),

refused_texts as (

    select
        checked_items.owner_key,
        checked_items.turn_number

    from checked_items

    inner join items
        on checked_items.item = items.item

    inner join checked_texts
        on
            checked_items.owner_key = checked_texts.owner_key
            and checked_items.turn_number = checked_texts.turn_number

    where
        items.is_excluded = contains(
            ' '
            || if(
                items.is_exact,
                checked_texts.exact_words,
                {{ without_accents('checked_texts.exact_words') }}
            )
            || ' ',
            items.found_by
        )

    union

    select
        excluding_items.owner_key,
        excluding_items.turn_number

    from excluding_items

    inner join items
        on excluding_items.item = items.item

    where not items.is_checked

),

found_texts as (

    select candidates.*

    from candidates

    anti join refused_texts
        on
            candidates.owner_key = refused_texts.owner_key
            and candidates.turn_number = refused_texts.turn_number

),

chosen_texts as (

    select
        owners.conversation_id,
        owners.agent_id,
        owners.text_kind,
        found_texts.turn_number,
        conversations.experiment_id,
        found_texts.found_terms,
        text_totals.mean_length,
        owners.text_lengths[list_position(owners.turns, found_texts.turn_number)]
            as text_length

    from found_texts

    inner join owners
        on found_texts.owner_key = owners.owner_key

    inner join {{ ref('conversations') }} as conversations
        on owners.conversation_id = conversations.conversation_id

    left join {{ ref('experiments') }} as experiments
        on conversations.experiment_id = experiments.experiment_id

    cross join text_totals

    where
        -- noqa: disable=RF02
        (
            of_experiment is null
            or conversations.experiment_id = of_experiment
            or experiments.name = of_experiment
        )
        and (
            of_model is null
            or of_model = if(
                owners.agent_id = 'agent_a',
                conversations.agent_a_model,
                conversations.agent_b_model
            )
        )
        and (of_agent is null or owners.agent_id = of_agent)
        and (from_turn is null or found_texts.turn_number >= from_turn)
        and (to_turn is null or found_texts.turn_number <= to_turn)
        -- noqa: enable=RF02

),

text_times as (

    select
        conversation_id,
        agent_id,
        'message' as text_kind,
        turn_number,
        sent_at

    from {{ ref('messages') }}

    union all

    select
        conversation_id,
        agent_id,
        'thinking' as text_kind,
        turn_number,
        thought_at as sent_at

    from {{ ref('thinking_traces') }}

),

timed_texts as (

    select
        chosen_texts.*,
        text_times.sent_at

    from chosen_texts

    inner join text_times
        on
            chosen_texts.conversation_id = text_times.conversation_id
            and chosen_texts.agent_id = text_times.agent_id
            and chosen_texts.text_kind = text_times.text_kind
            and chosen_texts.turn_number = text_times.turn_number

    where since is null or text_times.sent_at >= since  -- noqa: RF02

),

scored_texts as (

    select
        * exclude (found_terms, mean_length, text_length),
        {{ rounded(
            'list_sum(list_transform(found_terms, lambda found: found[\'weight\'] * found[\'uses\']'
            ~ ' / (found[\'uses\'] + ' ~ var('search_k1') ~ ' * (1 - ' ~ var('search_b') ~ ' + '
            ~ var('search_b') ~ ' * text_length / mean_length))))'
        ) }} as score

    from timed_texts

),

hits as (

    select *

    from scored_texts

    qualify
        max_hits is null  -- noqa: RF02
        or row_number() over (
            order by score desc, conversation_id asc, turn_number asc, agent_id asc, text_kind asc
        ) <= max_hits  -- noqa: RF02

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

-- Only of conversations with hits are texts read.
hit_texts as (

    select
        hits.*,
        messages.content

    from {{ ref('messages') }} as messages

    semi join hits as hit_conversations
        on messages.conversation_id = hit_conversations.conversation_id

    inner join hits
        on
            messages.conversation_id = hits.conversation_id
            and messages.agent_id = hits.agent_id
            and messages.turn_number = hits.turn_number

    where hits.text_kind = 'message'

    union all

    select
        hits.*,
        thinking_traces.thinking_content as content

    from {{ ref('thinking_traces') }} as thinking_traces

    semi join hits as hit_conversations
        on thinking_traces.conversation_id = hit_conversations.conversation_id

    inner join hits
        on
            thinking_traces.conversation_id = hits.conversation_id
            and thinking_traces.agent_id = hits.agent_id
            and thinking_traces.turn_number = hits.turn_number

    where hits.text_kind = 'thinking'

),

spaced_texts as (

    select
        * exclude (content),
        {{ spaced_text('content') }} as content

    from hit_texts

),

-- Words and what parts them, in turn; letters of scripts without spaces one by one, where such a
-- term is looked for.
pieces as (

    select
        spaced_texts.*,
        marked_terms.*,
        if(
            len(marked_terms.unspaced_terms) = 0,
            regexp_extract_all(
                spaced_texts.content,
                '[{{ word_characters() }}]+|[^{{ word_characters() }}]+'
            ),
            regexp_extract_all(
                spaced_texts.content,
                array_to_string(marked_terms.unspaced_terms, '|')
                || '|[{{ unspaced_letters() }}]'
                || '|[{{ word_characters() }}]+|[^{{ word_characters() }}]+'
            )
        ) as pieces

    from spaced_texts

    cross join marked_terms

),

plain_pieces as (

    select
        *,
        list_transform(
            pieces,
            lambda piece: if(
                strlen(piece) = length(piece),
                lower(piece),
                {{ without_accents('lower(piece)') }}
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
