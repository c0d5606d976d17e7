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

turn_patterns as (

    select * from {{ ref('int_turn_patterns') }}

),

pattern_onsets as (

    select * from {{ ref('int_pattern_onsets') }}

),

turn_alignment as (

    select * from {{ ref('int_turn_alignment') }}

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

pattern_totals as (

    select
        turn_patterns.conversation_id,
        count(*) as turn_count,
        min(turn_patterns.turn_number) filter (where turn_patterns.has_symbols_a)
            as first_symbols_a,
        min(turn_patterns.turn_number) filter (where turn_patterns.has_symbols_b)
            as first_symbols_b,
        sum(turn_patterns.transcendence_statements) / nullif(sum(turn_patterns.statements), 0)
            as transcendence_share,
        sum(turn_patterns.building_statements) / nullif(sum(turn_patterns.statements), 0)
            as building_share

    from turn_patterns

    semi join changed_conversations
        on
            turn_patterns.conversation_id = changed_conversations.conversation_id
            and turn_patterns.fingerprint = changed_conversations.fingerprint

    group by turn_patterns.conversation_id

),

alignment_totals as (

    select
        {% for half, name in {1: 'first', 2: 'second'}.items() -%}
            avg(turn_metrics.vocabulary_overlap order by turn_alignment.turn_number)
            filter (where turn_alignment.half = {{ half }}) as {{ name }}_half_alignment,
            avg(turn_alignment.shuffled_overlap order by turn_alignment.turn_number)
            filter (where turn_alignment.half = {{ half }}) as {{ name }}_half_baseline,
        {% endfor -%}
        count(*) as turn_count,
        turn_alignment.conversation_id

    from turn_alignment

    inner join turn_metrics
        on
            turn_alignment.conversation_id = turn_metrics.conversation_id
            and turn_alignment.turn_number = turn_metrics.turn_number
            and turn_alignment.fingerprint = turn_metrics.fingerprint

    semi join changed_conversations
        on
            turn_alignment.conversation_id = changed_conversations.conversation_id
            and turn_alignment.fingerprint = changed_conversations.fingerprint

    group by turn_alignment.conversation_id

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
    least(pattern_totals.first_symbols_a, pattern_totals.first_symbols_b) as symbol_onset_turn,
    if(
        pattern_totals.first_symbols_a is null or pattern_totals.first_symbols_b is null,
        null,
        greatest(pattern_totals.first_symbols_a, pattern_totals.first_symbols_b)
    ) as symbol_adoption_turn,
    pattern_onsets.loop_period,
    pattern_onsets.loop_escape_turn,
    if(
        pattern_totals.conversation_id is null,
        null,
        coalesce(pattern_onsets.turns_in_loops, 0) / pattern_totals.turn_count
    ) as loop_share,
    {% for pattern in pattern_names() -%}
        pattern_onsets.{{ pattern }}_turn,
        if(
            pattern_totals.conversation_id is null,
            null,
            pattern_onsets.{{ pattern }}_turn is not null
        ) as has_{{ pattern }},
    {% endfor %}
    -- topics, by words alone
    pattern_totals.transcendence_share,
    pattern_totals.building_share,

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

left join pattern_totals
    on changed_conversations.conversation_id = pattern_totals.conversation_id

left join pattern_onsets
    on
        changed_conversations.conversation_id = pattern_onsets.conversation_id
        and changed_conversations.fingerprint = pattern_onsets.fingerprint

left join alignment_totals
    on changed_conversations.conversation_id = alignment_totals.conversation_id

-- Only where turns and their steps are of the same state; after a build of a selection they may not
-- be.
where
    coalesce(turn_totals.turn_count, 0) = changed_conversations.turn_count
    and coalesce(pattern_totals.turn_count, 0) = coalesce(turn_totals.spoken_turn_count, 0)
    and coalesce(alignment_totals.turn_count, 0) = coalesce(turn_totals.spoken_turn_count, 0)
