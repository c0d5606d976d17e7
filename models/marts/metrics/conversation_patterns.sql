{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'conversations'},
    )
}}

with

conversations as (

    select * from {{ ref('conversations') }}

),

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

),

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

changed_conversations as (

    select conversations.*

    from conversations
    {{ only_changed('conversations', ref('conversations')) }}

),

turn_totals as (

    select
        turn_metrics.conversation_id,
        count(*) as turn_count,
        count(*) filter (where turn_metrics.is_spoken) as spoken_turn_count,
        -- In order, so that sums of floating-point numbers are the same each time.
        {{ rounded(
            'avg(turn_metrics.convergence_score order by turn_metrics.turn_number)'
            ~ ' filter (where turn_metrics.is_spoken)'
        ) }} as mean_convergence,
        arg_max(turn_metrics.convergence_balanced, turn_metrics.turn_number)
            as final_convergence_balanced,
        max(turn_metrics.convergence_balanced) as peak_convergence_balanced,
        {{ rounded('avg(turn_metrics.convergence_balanced order by turn_metrics.turn_number)') }}
            as mean_convergence_balanced,
        {{ rounded(slope(
            'turn_metrics.convergence_balanced', 'turn_metrics.turn_number',
            order='turn_metrics.turn_number'
        )) }} as convergence_velocity

    from turn_metrics

    semi join changed_conversations
        on
            turn_metrics.conversation_id = changed_conversations.conversation_id
            and turn_metrics.fingerprint = changed_conversations.fingerprint

    group by turn_metrics.conversation_id

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

    semi join changed_conversations
        on
            message_metrics.conversation_id = changed_conversations.conversation_id
            and message_metrics.fingerprint = changed_conversations.fingerprint

    group by message_metrics.conversation_id, message_metrics.turn_number

),

-- Of the same state; after a partial build there may be others.
changed_tokens as (

    select
        message_tokens.conversation_id,
        message_tokens.turn_number,
        message_tokens.agent_id,
        message_tokens.token_text

    from message_tokens

    semi join changed_conversations
        on
            message_tokens.conversation_id = changed_conversations.conversation_id
            and message_tokens.fingerprint = changed_conversations.fingerprint

),

-- Turns in which both agents spoke, in order.
spoken_turns as (

    select
        turn_metrics.conversation_id,
        turn_metrics.turn_number,
        turn_metrics.vocabulary_overlap,
        (turn_metrics.mimicry_score_a_to_b + turn_metrics.mimicry_score_b_to_a) / 2 as mimicry,
        turn_metrics.nearest_turn_distance,
        message_totals.words,
        message_totals.characters,
        message_totals.symbol_share,
        message_totals.statements,
        message_totals.closing_statements,
        message_totals.ending_statements,
        message_totals.transcendence_statements,
        message_totals.building_statements,
        message_totals.appreciation_share,
        message_totals.similarity,
        message_totals.recent_mattr,
        message_totals.symbol_line_share,
        message_totals.is_silent,
        message_totals.has_symbols_a,
        message_totals.has_symbols_b,
        -- Long messages come again in part, shorter ones as a whole or not.
        turn_metrics.phrase_count > 0
        and (
            turn_metrics.returning_phrase_share = 1
            or (
                turn_metrics.phrase_count >= {{ var('loop_phrases') }}
                and (
                    turn_metrics.returning_phrase_share > {{ var('loop_share') }}
                    -- The same few words in another order are no template.
                    or (
                        message_totals.similarity > {{ var('loop_similarity') }}
                        and message_totals.recent_mattr >= {{ var('vocabulary_collapse_mattr') }}
                    )
                )
            )
        ) as is_loop,
        turn_metrics.returning_phrase_share,
        max(message_totals.words) over conversation as longest_words,
        row_number() over conversation as place,
        count(*) over (partition by turn_metrics.conversation_id) as places

    from turn_metrics

    inner join message_totals
        on
            turn_metrics.conversation_id = message_totals.conversation_id
            and turn_metrics.turn_number = message_totals.turn_number

    where turn_metrics.is_spoken

    window conversation as (
        partition by turn_metrics.conversation_id
        order by turn_metrics.turn_number
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

),

symbol_turns as (

    select
        conversation_id,
        count(*) as turn_count,
        min(turn_number) filter (where has_symbols_a) as first_symbols_a,
        min(turn_number) filter (where has_symbols_b) as first_symbols_b

    from spoken_turns

    group by conversation_id

),

-- Whether a turn lies within each pattern, one row per turn and pattern. A turn that lies in one
-- may not be one to begin with: a short turn goes on with a farewell, and begins none.
pattern_turns as (

    select
        conversation_id,
        turn_number,
        place,
        places,
        closing_statements + ending_statements as farewells,
        unnest([
            {
                'pattern': 'loop',
                'turns': {{ var('loop_turns') }},
                'holds': is_loop,
                'begins': true
            },
            {
                'pattern': 'farewell_loop',
                'turns': {{ var('farewell_loop_turns') }},
                'holds':
                is_closing or words < {{ var('farewell_silent_ratio') }} * longest_words,
                'begins': is_closing
            },
            {
                'pattern': 'gratitude_spiral',
                'turns': {{ var('gratitude_spiral_turns') }},
                'holds': appreciation_share > {{ var('gratitude_spiral_share') }},
                'begins': true
            },
            {
                'pattern': 'silence',
                'turns': {{ var('silence_turns') }},
                'holds': is_silent,
                'begins': true
            },
            {
                'pattern': 'symbol_ending',
                'turns': {{ var('symbol_ending_turns') }},
                'holds': symbol_line_share > {{ var('symbol_ending_share') }},
                'begins': true
            },
            {
                'pattern': 'vocabulary_collapse',
                'turns': {{ var('vocabulary_collapse_turns') }},
                'holds':
                recent_mattr < {{ var('vocabulary_collapse_mattr') }}
                and returning_phrase_share < {{ var('vocabulary_collapse_loop_share') }},
                'begins': true
            },
            {
                'pattern': 'echo_chamber',
                'turns': {{ var('echo_chamber_turns') }},
                'holds': mimicry > {{ var('echo_chamber_mimicry') }},
                'begins': true
            },
            {
                'pattern': 'symbolic_phase',
                'turns': {{ var('symbolic_phase_turns') }},
                'holds': symbol_share > {{ var('symbolic_phase_density') }},
                'begins': true
            },
            {
                'pattern': 'compression_phase',
                'turns': {{ var('compression_phase_turns') }},
                'holds': characters < {{ var('compression_phase_ratio') }} * first_characters,
                'begins': true
            }
        ]) as pattern_turn

    from compared_turns

),

-- Turns in a row have the same difference between their position and their position among those
-- that hold.
pattern_runs as (

    select
        conversation_id,
        turn_number,
        place,
        places,
        farewells,
        pattern_turn['pattern'] as pattern,
        pattern_turn['turns'] as turns_needed,
        pattern_turn['begins'] as begins,
        place - row_number() over (
            partition by conversation_id, pattern_turn['pattern']
            order by place
        ) as run

    from pattern_turns

    where pattern_turn['holds']

),

pattern_phases as (

    select
        conversation_id,
        pattern,
        min(turn_number) filter (where begins) as onset_turn,
        min(place) filter (where begins) as first_place,
        max(place) as last_place

    from pattern_runs

    group by conversation_id, pattern, run, turns_needed, places

    having
        max(place) - min(place) filter (where begins) + 1 >= turns_needed
        and (pattern != 'compression_phase' or max(place) = places)
        and (
            pattern != 'farewell_loop'
            or sum(farewells) filter (where begins) >= {{ var('farewell_statements') }}
        )

),

pattern_onsets as (

    select
        conversation_id,
        min(onset_turn) filter (where pattern = 'loop') as loop_turn,
        min(first_place) filter (where pattern = 'loop') as loop_place,
        min(onset_turn) filter (where pattern = 'farewell_loop') as farewell_loop_turn,
        min(onset_turn) filter (where pattern = 'gratitude_spiral') as gratitude_spiral_turn,
        min(onset_turn) filter (where pattern = 'silence') as silence_turn,
        min(onset_turn) filter (where pattern = 'symbol_ending') as symbol_ending_turn,
        min(onset_turn) filter (where pattern = 'vocabulary_collapse') as vocabulary_collapse_turn,
        min(onset_turn) filter (where pattern = 'echo_chamber') as echo_chamber_turn,
        min(onset_turn) filter (where pattern = 'symbolic_phase') as symbolic_phase_turn,
        min(onset_turn) filter (where pattern = 'compression_phase') as compression_phase_turn

    from pattern_phases

    group by conversation_id

),

-- A loop is left with two turns in a row that bring something new.
loop_turns as (

    select
        compared_turns.conversation_id,
        compared_turns.turn_number,
        compared_turns.place,
        compared_turns.is_loop,
        compared_turns.nearest_turn_distance,
        pattern_onsets.loop_place,
        lead(compared_turns.is_loop) over (
            partition by compared_turns.conversation_id
            order by compared_turns.place
        ) as goes_on

    from compared_turns

    left join pattern_onsets
        on compared_turns.conversation_id = pattern_onsets.conversation_id

),

loops as (

    select
        conversation_id,
        min(turn_number) filter (where place > loop_place and not is_loop and not goes_on)
            as loop_escape_turn,
        mode(nearest_turn_distance order by nearest_turn_distance) filter (
            where is_loop and place >= loop_place
        ) as loop_period

    from loop_turns

    group by conversation_id

),

loop_phases as (

    select
        conversation_id,
        sum(last_place - first_place + 1) as turns

    from pattern_phases

    where pattern = 'loop'

    group by conversation_id

),

topics as (

    select
        conversation_id,
        sum(transcendence_statements) / nullif(sum(statements), 0) as transcendence_share,
        sum(building_statements) / nullif(sum(statements), 0) as building_share

    from spoken_turns

    group by conversation_id

),

-- The permutation baseline: in each half of a conversation, every message of A is also compared
-- with the message of B half of that half away. Topic and manner are kept, but the messages do
-- not answer each other.
halves as (

    select
        conversation_id,
        turn_number,
        vocabulary_overlap,
        if(2 * place <= places, 1, 2) as half,
        row_number() over (
            partition by conversation_id, 2 * place <= places
            order by place
        ) - 1 as place_in_half,
        count(*) over (partition by conversation_id, 2 * place <= places) as half_length

    from spoken_turns

),

shuffled_places as (

    select
        *,
        -- A half of one turn has no other partner; in one of two, A's second message would meet the
        -- message of B that it answers.
        if(half_length > 2, (place_in_half + half_length // 2) % half_length, null)
            as shuffled_place

    from halves

),

shuffled_turns as (

    select
        own_turn.conversation_id,
        own_turn.half,
        own_turn.turn_number,
        own_turn.vocabulary_overlap,
        other_turn.turn_number as shuffled_turn_number

    from shuffled_places as own_turn

    left join shuffled_places as other_turn
        on
            own_turn.conversation_id = other_turn.conversation_id
            and own_turn.half = other_turn.half
            and own_turn.shuffled_place = other_turn.place_in_half

),

shuffled_messages as (

    select
        shuffled_turns.conversation_id,
        shuffled_turns.half,
        shuffled_turns.turn_number,
        shuffled_turns.vocabulary_overlap,
        shuffled_turns.shuffled_turn_number,
        {{ token_hashes(token_list('agent_a.token_text')) }} as a_tokens,
        {{ token_hashes(token_list('agent_b.token_text')) }} as b_tokens

    from shuffled_turns

    left join changed_tokens as agent_a
        on
            shuffled_turns.conversation_id = agent_a.conversation_id
            and shuffled_turns.turn_number = agent_a.turn_number
            and agent_a.agent_id = 'agent_a'

    left join changed_tokens as agent_b
        on
            shuffled_turns.conversation_id = agent_b.conversation_id
            and shuffled_turns.shuffled_turn_number = agent_b.turn_number
            and agent_b.agent_id = 'agent_b'

),

alignments as (

    select
        conversation_id,
        half,
        turn_number,
        vocabulary_overlap,
        a_tokens is not null
        and (b_tokens is not null or shuffled_turn_number is null) as has_tokens,
        if(
            b_tokens is null,
            null,
            {{ jaccard_of_lists('a_tokens', 'b_tokens') }}
        ) as shuffled_overlap

    from shuffled_messages

),

alignment_totals as (

    select
        conversation_id,
        bool_and(has_tokens) as has_tokens,
        avg(vocabulary_overlap order by turn_number) filter (where half = 1)
            as first_half_alignment,
        avg(shuffled_overlap order by turn_number) filter (where half = 1)
            as first_half_baseline,
        avg(vocabulary_overlap order by turn_number) filter (where half = 2)
            as second_half_alignment,
        avg(shuffled_overlap order by turn_number) filter (where half = 2)
            as second_half_baseline

    from alignments

    group by conversation_id

)

select
    changed_conversations.conversation_id,
    changed_conversations.experiment_id,
    changed_conversations.turn_count,
    cast(coalesce(turn_totals.spoken_turn_count, 0) as integer) as spoken_turn_count,

    -- convergence
    changed_conversations.final_convergence,
    changed_conversations.peak_convergence,
    turn_totals.mean_convergence,
    turn_totals.final_convergence_balanced,
    turn_totals.peak_convergence_balanced,
    turn_totals.mean_convergence_balanced,
    turn_totals.convergence_velocity,

    -- patterns, each with the turn in which it begins
    least(symbol_turns.first_symbols_a, symbol_turns.first_symbols_b) as symbol_onset_turn,
    if(
        symbol_turns.first_symbols_a is null or symbol_turns.first_symbols_b is null,
        null,
        greatest(symbol_turns.first_symbols_a, symbol_turns.first_symbols_b)
    ) as symbol_adoption_turn,
    pattern_onsets.loop_turn,
    loops.loop_period,
    loops.loop_escape_turn,
    if(
        symbol_turns.conversation_id is null,
        null,
        coalesce(loop_phases.turns, 0) / symbol_turns.turn_count
    ) as loop_share,
    pattern_onsets.farewell_loop_turn,
    pattern_onsets.gratitude_spiral_turn,
    pattern_onsets.silence_turn,
    pattern_onsets.symbol_ending_turn,
    pattern_onsets.vocabulary_collapse_turn,
    pattern_onsets.echo_chamber_turn,
    pattern_onsets.symbolic_phase_turn,
    pattern_onsets.compression_phase_turn,
    {% for pattern in [
        'loop', 'farewell_loop', 'gratitude_spiral', 'silence', 'symbol_ending',
        'vocabulary_collapse', 'echo_chamber', 'symbolic_phase', 'compression_phase',
    ] -%}
        if(
            symbol_turns.conversation_id is null,
            null,
            pattern_onsets.{{ pattern }}_turn is not null
        ) as has_{{ pattern }},
    {% endfor %}
    -- topics, by words alone
    topics.transcendence_share,
    topics.building_share,

    -- alignment
    alignment_totals.first_half_alignment,
    alignment_totals.first_half_baseline,
    alignment_totals.second_half_alignment,
    alignment_totals.second_half_baseline,
    {{ rounded(
        '(alignment_totals.second_half_alignment - alignment_totals.second_half_baseline)'
        ~ ' - (alignment_totals.first_half_alignment - alignment_totals.first_half_baseline)'
    ) }} as alignment_gain,

    changed_conversations.fingerprint

from changed_conversations

left join turn_totals
    on changed_conversations.conversation_id = turn_totals.conversation_id

left join symbol_turns
    on changed_conversations.conversation_id = symbol_turns.conversation_id

left join pattern_onsets
    on changed_conversations.conversation_id = pattern_onsets.conversation_id

left join loops
    on changed_conversations.conversation_id = loops.conversation_id

left join loop_phases
    on changed_conversations.conversation_id = loop_phases.conversation_id

left join topics
    on changed_conversations.conversation_id = topics.conversation_id

left join alignment_totals
    on changed_conversations.conversation_id = alignment_totals.conversation_id

-- Only where turns, messages and their words are of the same state; after a build of a
-- selection they may not be.
where
    coalesce(turn_totals.turn_count, 0) = changed_conversations.turn_count
    and coalesce(symbol_turns.turn_count, 0) = coalesce(turn_totals.spoken_turn_count, 0)
    and coalesce(alignment_totals.has_tokens, true)
