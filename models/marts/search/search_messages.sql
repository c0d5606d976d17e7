{{
    config(
        materialized = 'table_function',
        parameters = [
            'query', 'max_hits := -1', "of_experiment := ''", "of_model := ''", "of_agent := ''",
            'from_turn := -1', 'to_turn := -1', "since := '-infinity'", "marks := '«»'",
        ],
        contract = {'enforced': false},
    )
}}

{#- Parameters have no NULL and no list by default: DuckLake cannot read those back. -#}

with

-- A snippet that nobody selects is not made, as long as no step here is used twice: DuckDB keeps
-- the rows of such a step, and computes all columns of what follows.
spaced_texts as (

    select
        conversation_id,
        experiment_id,
        turn_number,
        agent_id,
        text_kind,
        sent_at,
        score,
        whole_terms,
        prefixes,
        unspaced_terms,
        {{ spaced_text('content') }} as content

    from
        {{ ref('search_hit_texts').render() }}(
            query, max_hits, of_experiment, of_model, of_agent, from_turn, to_turn, since
        )

),

-- Words and what parts them, in turn; letters of scripts without spaces one by one, where such a
-- term is looked for. No text holds what is put around words: it is white space, and now spaces.
parted_texts as (

    select
        *,
        if(
            len(unspaced_terms) = 0,
            regexp_replace(
                content,
                '[{{ word_characters() }}]+',
                chr(31) || '\0' || chr(31),
                'g'
            ),
            regexp_replace(
                content,
                array_to_string(unspaced_terms, '|')
                || '|[{{ unspaced_letters() }}]|[{{ word_characters() }}]+',
                chr(31) || '\0' || chr(31),
                'g'
            )
        ) as parted_content

    from spaced_texts

),

pieces as (

    select
        *,
        list_filter(string_split(parted_content, chr(31)), lambda piece: piece != '') as pieces

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

)

select
    conversation_id,
    experiment_id,
    turn_number,
    agent_id,
    text_kind,
    sent_at,
    score,
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

order by score desc, conversation_id asc, turn_number asc, agent_id asc, text_kind asc
