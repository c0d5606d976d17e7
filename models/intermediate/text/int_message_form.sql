{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_messages'},
        contract = {'enforced': true},
    )
}}

with

messages as (

    select * from {{ ref('int_messages') }}

),

spoken_messages as (

    select
        messages.conversation_id,
        messages.turn_number,
        messages.agent_id,
        messages.content,
        messages.fingerprint

    from messages
    {{ only_changed('messages', ref('int_messages')) }}

    where
        messages.is_spoken
        and messages.is_turn_complete

),

-- Symbols by who used them first.
message_symbols as (

    select
        conversation_id,
        turn_number,
        agent_id,
        unnest(list_distinct(regexp_extract_all(content, '\p{S}'))) as symbol

    from spoken_messages

),

first_symbol_uses as (

    select
        conversation_id,
        turn_number,
        agent_id

    from message_symbols

    qualify
        row_number() over (
            partition by conversation_id, symbol
            order by turn_number, agent_id
        ) = 1

),

novel_symbols as (

    select
        conversation_id,
        turn_number,
        agent_id,
        count(*) as novel_symbols

    from first_symbol_uses

    group by conversation_id, turn_number, agent_id

),

outlined_messages as (

    select
        *,
        {{ outline('content') }} as outline,
        {{ spaced_text('content') }} as spaced_content

    from spoken_messages

),

unfenced_messages as (

    select
        *,
        {{ unfenced('outline') }} as unfenced_outline,
        -- Without the marks that belong to letters, and what is never seen.
        regexp_replace(outline, '[\p{M}\p{Cf}]+', '', 'g') as unmarked_outline

    from outlined_messages

),

counts as (

    select
        *,
        length(content) as message_length,
        -- Most messages have a word in each line; of the others, each line is looked at.
        {{ match_count('unfenced_outline', worded_line_pattern()) }}
            as worded_line_count,
        if(
            {{ match_count('unfenced_outline', '[^' ~ line_ends() ~ ']+') }} = worded_line_count,
            0,
            len(list_filter(
                regexp_extract_all(unfenced_outline, '[^{{ line_ends() }}]+'),
                lambda line: {{ is_symbol_line('line') }}
            ))
        ) as symbol_line_count,
        -- Pieces between runs of sentence marks that hold more than white space. Words here
        -- are whitespace tokens, as in Pidgin's structural similarity.
        list_transform(
            regexp_extract_all(spaced_content, '{{ sentence_pattern() }}'),
            lambda sentence: {{ spaced_word_count('sentence') }}
        ) as sentence_lengths,
        {{ match_count('outline', '[' ~ pidgin_emoji() ~ ']+') }} as emoji_count,
        {{ match_count('outline', arrow_pattern()) }} as arrow_count,
        {{ match_count('outline', '[' ~ pidgin_math_symbols() ~ ']') }} as math_symbol_count,
        {{ occurrence_count('outline', "'?'") }} as question_count

    from unfenced_messages

)

select
    counts.conversation_id,
    counts.turn_number,
    counts.agent_id,

    -- size
    cast(counts.message_length as integer) as message_length,
    cast(counts.sentence_lengths as integer[]) as sentence_lengths,
    cast(len(counts.sentence_lengths) as integer) as sentence_count,
    cast({{ match_count('counts.outline', statement_pattern()) }} as integer) as statement_count,
    -- Pieces between blank lines, likewise.
    cast(
        {{ match_count('counts.outline', '[^' ~ whitespace() ~ '](?:[^\\n]|\\n[^\\n])*') }}
        as integer
    ) as paragraph_count,

    -- information
    coalesce(list_entropy({{ code_points('counts.content') }}), 0) as character_entropy,
    {{ compression_ratio('counts.content') }} as compression_ratio,

    -- symbols
    length(regexp_replace(counts.outline, '[\p{L}{{ whitespace() }}]+', '', 'g'))
    / greatest(counts.message_length, 1) as symbol_density,
    length(
        regexp_replace(
            counts.unmarked_outline, '\p{L}+\p{P}?|[{{ whitespace() }}]+', '', 'g'
        )
    )
    / greatest(
        counts.message_length - length(counts.outline) + length(counts.unmarked_outline), 1
    ) as symbol_share,
    cast(counts.emoji_count as integer) as emoji_count,
    cast({{ match_count('counts.outline', '[' ~ pictographs() ~ ']') }} as integer)
        as pictograph_count,
    cast(counts.arrow_count as integer) as arrow_count,
    cast(counts.math_symbol_count as integer) as math_symbol_count,
    cast(
        list_unique(
            regexp_extract_all(counts.outline, '[^{{ word_characters() }}{{ whitespace() }}]')
        ) as integer
    ) as punctuation_diversity,
    cast(
        counts.emoji_count + counts.arrow_count + counts.math_symbol_count
        + {{ match_count('counts.outline', '[' ~ pidgin_other_symbols() ~ ']') }} as integer
    ) as special_char_count,
    cast({{ number_count('counts.outline') }} as integer) as number_count,
    cast(coalesce(novel_symbols.novel_symbols, 0) as integer) as novel_symbols,
    if(
        counts.worded_line_count + counts.symbol_line_count = 0,
        null,
        counts.symbol_line_count / (counts.worded_line_count + counts.symbol_line_count)
    ) as symbol_line_share,
    -- Most messages have no line between asterisks.
    cast(
        if(
            regexp_matches(
                counts.outline, '(?:^|[{{ line_ends() }}])[{{ whitespace() }}]*\*[^*]+\*'
            ),
            {{ direction_words('counts.content') }},
            0
        ) as integer
    ) as direction_words,

    -- marks
    cast(counts.question_count as integer) as question_count,
    {{ match_count('counts.outline', question_pattern()) }}
    / greatest(len(counts.sentence_lengths), 1) as question_density,
    -- Overlapping pairs: a run of n question marks holds n - 1.
    cast(
        counts.question_count - {{ match_count('counts.outline', '[?]+') }} as integer
    ) as double_question_count,
    cast({{ occurrence_count('counts.outline', "'!'") }} as integer) as exclamation_count,
    cast({{ proper_noun_count('counts.outline') }} as integer) as proper_noun_count,

    counts.fingerprint

from counts

left join novel_symbols
    on
        counts.conversation_id = novel_symbols.conversation_id
        and counts.turn_number = novel_symbols.turn_number
        and counts.agent_id = novel_symbols.agent_id
