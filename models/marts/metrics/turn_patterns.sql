{{
    config(
        schema = 'intermediate',
        access = 'private',
        persist_docs = {'relation': false, 'columns': false},
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'turn_metrics'},
        contract = {'enforced': true},
    )
}}

with

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

),

changed_turns as (

    select turn_metrics.*

    from turn_metrics
    {{ only_changed('turn_metrics', ref('turn_metrics')) }}

),

message_totals as (

    select
        message_metrics.conversation_id,
        message_metrics.turn_number,
        sum(message_metrics.word_count) as words,
        sum(message_metrics.message_length) as characters,
        -- Of two messages, so the order of the sum does not matter.
        avg(message_metrics.symbol_share) as symbol_share,
        sum(message_metrics.statement_count) as statements,
        sum(message_metrics.closing_statements) as closing_statements,
        sum(message_metrics.ending_statements) as ending_statements,
        sum(message_metrics.transcendence_statements) as transcendence_statements,
        sum(message_metrics.building_statements) as building_statements,
        avg(
            message_metrics.appreciation_statements / greatest(message_metrics.statement_count, 1)
        ) as appreciation_share,
        avg(
            coalesce(
                greatest(
                    message_metrics.similarity_to_last, message_metrics.similarity_to_partner
                ),
                0
            )
        ) as similarity,
        -- NULL unless both agents have enough text.
        if(
            count(message_metrics.recent_mattr) = 2, avg(message_metrics.recent_mattr), null
        ) as recent_mattr,
        avg(coalesce(message_metrics.symbol_line_share, 0)) as symbol_line_share,
        bool_and(
            coalesce(message_metrics.symbol_line_share > {{ var('symbol_ending_share') }}, false)
            or (
                message_metrics.word_count - message_metrics.direction_words
                <= {{ var('silence_words') }}
                and message_metrics.word_count <= {{ var('silence_direction_words') }}
            )
        ) as is_silent,
        bool_or(
            message_metrics.agent_id = 'agent_a'
            and message_metrics.pictograph_count + message_metrics.arrow_count > 0
        ) as has_symbols_a,
        bool_or(
            message_metrics.agent_id = 'agent_b'
            and message_metrics.pictograph_count + message_metrics.arrow_count > 0
        ) as has_symbols_b

    from message_metrics

    semi join changed_turns
        on
            message_metrics.conversation_id = changed_turns.conversation_id
            and message_metrics.fingerprint = changed_turns.fingerprint

    group by message_metrics.conversation_id, message_metrics.turn_number

),

-- Turns in which both agents spoke, in order.
spoken_turns as (

    select
        changed_turns.conversation_id,
        changed_turns.turn_number,
        (changed_turns.mimicry_score_a_to_b + changed_turns.mimicry_score_b_to_a) / 2 as mimicry,
        changed_turns.nearest_turn_distance,
        message_totals.* exclude (conversation_id, turn_number),  -- noqa: RF02
        -- Long messages come again in part, shorter ones as a whole or not.
        changed_turns.phrase_count > 0
        and (
            changed_turns.returning_phrase_share = 1
            or (
                changed_turns.phrase_count >= {{ var('loop_phrases') }}
                and (
                    changed_turns.returning_phrase_share > {{ var('loop_share') }}
                    -- The same few words in another order are no template.
                    or (
                        message_totals.similarity > {{ var('loop_similarity') }}
                        and message_totals.recent_mattr >= {{ var('vocabulary_collapse_mattr') }}
                    )
                )
            )
        ) as is_loop,
        changed_turns.returning_phrase_share,
        max(message_totals.words) over conversation as longest_words,
        row_number() over conversation as place,
        count(*) over (partition by changed_turns.conversation_id) as places,
        changed_turns.fingerprint

    from changed_turns

    inner join message_totals
        on
            changed_turns.conversation_id = message_totals.conversation_id
            and changed_turns.turn_number = message_totals.turn_number

    where changed_turns.is_spoken

    window conversation as (
        partition by changed_turns.conversation_id
        order by changed_turns.turn_number
    )

),

-- What farewells and shortening compare a turn with. The first turn may be a mere greeting.
compared_turns as (

    select
        *,
        avg(if(place <= 3, characters, null)) over (partition by conversation_id)
            as first_characters,
        closing_statements > {{ var('farewell_closing_share') }} * statements
        or (
            closing_statements + ending_statements
            > {{ var('farewell_ending_share') }} * statements
            and words < {{ var('farewell_short_ratio') }} * longest_words
        ) as is_closing

    from spoken_turns

)

select
    conversation_id,
    turn_number,
    place,
    places,
    nearest_turn_distance,
    cast(statements as integer) as statements,
    cast(closing_statements + ending_statements as integer) as farewells,
    cast(transcendence_statements as integer) as transcendence_statements,
    cast(building_statements as integer) as building_statements,
    has_symbols_a,
    has_symbols_b,
    is_closing,

    -- whether the turn lies within each pattern
    is_loop as in_loop,
    is_closing or words < {{ var('farewell_silent_ratio') }} * longest_words as in_farewell_loop,
    appreciation_share > {{ var('gratitude_spiral_share') }} as in_gratitude_spiral,
    is_silent as in_silence,
    symbol_line_share > {{ var('symbol_ending_share') }} as in_symbol_ending,
    recent_mattr < {{ var('vocabulary_collapse_mattr') }}
    and returning_phrase_share < {{ var('vocabulary_collapse_loop_share') }}
        as in_vocabulary_collapse,
    mimicry > {{ var('echo_chamber_mimicry') }} as in_echo_chamber,
    symbol_share > {{ var('symbolic_phase_density') }} as in_symbolic_phase,
    characters < {{ var('compression_phase_ratio') }} * first_characters as in_compression_phase,
    fingerprint

from compared_turns
