{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_message_tokens'},
    )
}}

with

messages as (

    select * from {{ ref('messages') }}

),

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

message_words as (

    select * from {{ ref('int_message_words') }}

),

linguistic_markers as (

    select * from {{ ref('linguistic_markers') }}

),

passive_words as (

    select
        list(hash(marker)) filter (where category = 'be_form') as be_forms,
        list(hash(marker)) filter (where category = 'irregular_participle') as participles

    from linguistic_markers

),

changed_messages as (

    select message_tokens.*

    from message_tokens
    {{ only_changed('message_tokens', ref('int_message_tokens')) }}

    where message_tokens.token_text is not null

),

changed_texts as (

    select
        changed_messages.*,
        messages.experiment_id,
        messages.content

    from changed_messages

    inner join messages
        on
            changed_messages.conversation_id = messages.conversation_id
            and changed_messages.turn_number = messages.turn_number
            and changed_messages.agent_id = messages.agent_id
            and changed_messages.fingerprint = messages.fingerprint

),

spoken_messages as (

    select
        changed_texts.conversation_id,
        changed_texts.experiment_id,
        changed_texts.turn_number,
        changed_texts.agent_id,
        changed_texts.content,
        {{ token_list('changed_texts.token_text') }} as tokens,
        passive_words.be_forms,
        passive_words.participles,
        changed_texts.fingerprint

    from changed_texts

    cross join passive_words

),

-- Symbols by who used them first.
message_symbols as (

    select
        conversation_id,
        turn_number,
        agent_id,
        unnest(list_distinct(regexp_extract_all(content, '\p{S}'))) as symbol

    from changed_texts

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

-- Only of messages with words that phrases of the seed have.
marked_messages as (

    select
        changed_texts.conversation_id,
        changed_texts.turn_number,
        changed_texts.agent_id,
        message_words.statement_markers as markers,
        {{ statements('changed_texts.content') }} as statements

    from changed_texts

    inner join message_words
        on
            changed_texts.conversation_id = message_words.conversation_id
            and changed_texts.turn_number = message_words.turn_number
            and changed_texts.agent_id = message_words.agent_id
            and changed_texts.fingerprint = message_words.fingerprint

    where message_words.statement_markers is not null

),

marked_statements as (

    select
        conversation_id,
        turn_number,
        agent_id,
        {{ marked_statements('statements', 'markers', 'closing') }} as closing_statements,
        {{ marked_statements('statements', 'markers', 'ending') }} as ending_statements,
        {{ marked_statements('statements', 'markers', 'appreciation') }} as appreciation_statements,
        {{ marked_statements('statements', 'markers', 'transcendence') }}
            as transcendence_statements,
        {{ marked_statements('statements', 'markers', 'building') }} as building_statements

    from marked_messages

),

hashed_messages as (

    select
        *,
        {{ token_hashes('tokens') }} as token_hashes,
        {{ outline('content') }} as outline,
        {{ spaced_text('content') }} as spaced_content

    from spoken_messages

),

ngrams as (

    select
        *,
        {{ unfenced('outline') }} as unfenced_outline,
        {{ ngrams('token_hashes', 2) }} as bigrams,
        {{ ngrams('token_hashes', 3) }} as trigrams

    from hashed_messages

),

distinct_ngrams as (

    select
        *,
        list_unique(bigrams) as bigram_count,
        list_unique(trigrams) as trigram_count

    from ngrams

),

-- How often each word and phrase occurs; the words themselves no longer matter.
histograms as (

    select
        *,
        coalesce(map_values(list_histogram(token_hashes)), []) as word_occurrences,
        {{ repeated_occurrences('bigrams', 'bigram_count') }} as repeated_bigram_occurrences,
        {{ repeated_occurrences('trigrams', 'trigram_count') }} as repeated_trigram_occurrences

    from distinct_ngrams

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
        -- Most messages have no line between asterisks.
        if(
            regexp_matches(outline, '(?:^|[{{ line_ends() }}])[{{ whitespace() }}]*\*[^*]+\*'),
            {{ direction_words('content') }},
            0
        ) as direction_words,
        -- Without the marks that belong to letters, and what is never seen.
        regexp_replace(outline, '[\p{M}\p{Cf}]+', '', 'g') as unmarked_outline,
        len(tokens) as word_count,
        len(word_occurrences) as vocabulary_size,
        -- Pieces between runs of sentence marks that hold more than white space. Words here
        -- are whitespace tokens, as in Pidgin's structural similarity.
        list_transform(
            regexp_extract_all(spaced_content, '{{ sentence_pattern() }}'),
            lambda sentence: {{ spaced_word_count('sentence') }}
        ) as sentence_lengths,
        -- Pieces between blank lines, likewise.
        {{ match_count('outline', '[^' ~ whitespace() ~ '](?:[^\\n]|\\n[^\\n])*') }}
            as paragraph_count,
        len(list_filter(word_occurrences, lambda times: times = 1)) as hapax_count,
        {{ occurrence_count('outline', "'!'") }} as exclamation_count,
        {{ occurrence_count('outline', "'?'") }} as question_count,
        -- Overlapping pairs: a run of n question marks holds n - 1.
        {{ occurrence_count('outline', "'?'") }} - {{ match_count('outline', '[?]+') }}
            as double_question_count,
        len(list_filter(tokens, lambda token: contains(token, ''''))) as apostrophe_count,
        len(list_filter(tokens, lambda token: length(token) > 7)) as long_word_count,
        {{ passive_count('tokens', 'token_hashes') }} as passive_count

    from histograms

)

select
    counts.conversation_id,
    counts.experiment_id,
    counts.turn_number,
    counts.agent_id,

    -- size
    cast(counts.message_length as integer) as message_length,
    cast(counts.word_count as integer) as word_count,
    cast(counts.vocabulary_size as integer) as vocabulary_size,
    cast(len(counts.sentence_lengths) as integer) as sentence_count,
    cast(counts.paragraph_count as integer) as paragraph_count,
    counts.word_count / greatest(len(counts.sentence_lengths), 1) as avg_sentence_length,
    coalesce(list_sum(counts.sentence_lengths), 0) / greatest(len(counts.sentence_lengths), 1)
        as spaced_words_per_sentence,
    cast(counts.sentence_lengths as integer[]) as sentence_lengths,
    cast({{ match_count('counts.outline', statement_pattern()) }} as integer) as statement_count,

    -- diversity and repetition
    counts.vocabulary_size / greatest(counts.word_count, 1) as type_token_ratio,
    counts.hapax_count / greatest(counts.vocabulary_size, 1) as hapax_ratio,
    if(
        counts.word_count < 3,
        0,
        (counts.bigram_count + counts.trigram_count)
        / greatest(2 * counts.word_count - 3, 1)
    ) as lexical_diversity_index,
    message_words.mattr,
    message_words.recent_mattr,
    message_words.mtld,
    {{ hd_d('counts.word_occurrences', 'counts.hapax_count', 'counts.word_count') }} as hd_d,
    cast(len(counts.repeated_bigram_occurrences) as integer) as repeated_bigrams,
    cast(len(counts.repeated_trigram_occurrences) as integer) as repeated_trigrams,
    {{ adjacent_repetitions('counts.token_hashes') }} / greatest(counts.word_count - 1, 1)
        as self_repetition,
    if(
        message_words.earlier_messages = 0,
        0,
        -- Shares are rounded to 17 places, so their sum may pass the 1 that it cannot pass.
        least(message_words.repeated_shares / message_words.earlier_messages, 1)
    ) as turn_repetition,
    message_words.similarity_to_last,
    message_words.similarity_to_last_but_one,
    message_words.similarity_to_partner,
    message_words.new_words,
    message_words.newly_shared_words,

    -- information
    {{ entropy_of_counts('counts.word_occurrences', 'counts.word_count') }} as word_entropy,
    {{ entropy_of_counts('counts.repeated_bigram_occurrences', 'counts.word_count - 1') }}
        as bigram_entropy,
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
    cast({{ match_count('counts.outline', '[' ~ pidgin_emoji() ~ ']+') }} as integer)
        as emoji_count,
    cast({{ match_count('counts.outline', '[' ~ pictographs() ~ ']') }} as integer)
        as pictograph_count,
    cast({{ match_count('counts.outline', arrow_pattern()) }} as integer) as arrow_count,
    cast({{ match_count('counts.outline', '[' ~ pidgin_math_symbols() ~ ']') }} as integer)
        as math_symbol_count,
    cast(
        list_unique(
            regexp_extract_all(counts.outline, '[^{{ word_characters() }}{{ whitespace() }}]')
        ) as integer
    ) as punctuation_diversity,
    cast(
        {{ match_count('counts.outline', '[' ~ pidgin_emoji() ~ ']+') }}
        + {{ match_count('counts.outline', arrow_pattern()) }}
        + {{ match_count('counts.outline', '[' ~ pidgin_math_symbols() ~ ']') }}
        + {{ match_count('counts.outline', '[' ~ pidgin_other_symbols() ~ ']') }} as integer
    ) as special_char_count,
    cast({{ number_count('counts.outline') }} as integer) as number_count,
    cast(coalesce(novel_symbols.novel_symbols, 0) as integer) as novel_symbols,
    if(
        counts.worded_line_count + counts.symbol_line_count = 0,
        null,
        counts.symbol_line_count / (counts.worded_line_count + counts.symbol_line_count)
    ) as symbol_line_share,
    cast(counts.direction_words as integer) as direction_words,

    -- markers
    cast(counts.question_count as integer) as question_count,
    {{ match_count('counts.outline', question_pattern()) }}
    / greatest(len(counts.sentence_lengths), 1) as question_density,
    cast(counts.exclamation_count as integer) as exclamation_count,
    {% for column in marker_columns().values() -%}
        message_words.{{ column }},
    {% endfor -%}
    cast(coalesce(marked_statements.closing_statements, 0) as integer) as closing_statements,
    cast(coalesce(marked_statements.ending_statements, 0) as integer) as ending_statements,
    cast(coalesce(marked_statements.appreciation_statements, 0) as integer)
        as appreciation_statements,
    cast(coalesce(marked_statements.transcendence_statements, 0) as integer)
        as transcendence_statements,
    cast(coalesce(marked_statements.building_statements, 0) as integer) as building_statements,
    message_words.hedge_words / greatest(counts.word_count, 1) as hedge_density,
    cast({{ proper_noun_count('counts.outline') }} as integer) as proper_noun_count,
    cast(counts.passive_count as integer) as passive_voice,

    -- style
    if(
        counts.word_count = 0,
        0.5,
        greatest(
            0,
            least(
                1,
                0.5
                - counts.apostrophe_count / greatest(counts.word_count, 1) * 0.3
                - counts.exclamation_count / greatest(counts.word_count, 1) * 0.2
                - counts.double_question_count / greatest(counts.word_count, 1) * 0.1
                + counts.long_word_count / greatest(counts.word_count, 1) * 0.3
            )
        )
    ) as formality_score,
    if(
        counts.word_count = 0,
        null,
        206.835
        - 1.015 * counts.word_count / greatest(len(counts.sentence_lengths), 1)
        - 84.6 * message_words.syllables / greatest(counts.word_count, 1)
    ) as flesch_reading_ease,

    counts.fingerprint

from counts

inner join message_words
    on
        counts.conversation_id = message_words.conversation_id
        and counts.turn_number = message_words.turn_number
        and counts.agent_id = message_words.agent_id
        and counts.fingerprint = message_words.fingerprint

left join novel_symbols
    on
        counts.conversation_id = novel_symbols.conversation_id
        and counts.turn_number = novel_symbols.turn_number
        and counts.agent_id = novel_symbols.agent_id

left join marked_statements
    on
        counts.conversation_id = marked_statements.conversation_id
        and counts.turn_number = marked_statements.turn_number
        and counts.agent_id = marked_statements.agent_id
