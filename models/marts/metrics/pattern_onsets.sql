{{
    config(
        schema = 'intermediate',
        access = 'private',
        persist_docs = {'relation': false, 'columns': false},
        materialized = 'view',
    )
}}

with

turn_patterns as (

    select * from {{ ref('turn_patterns') }}

),

-- A turn that lies in a pattern may not be one to begin with: a short turn goes on with a farewell,
-- and begins none.
pattern_turns as (

    {% for pattern in pattern_names() -%}
        select
            conversation_id,
            turn_number,
            place,
            places,
            farewells,
            '{{ pattern }}' as pattern,
            {{ var(pattern ~ '_turns') }} as turns_needed,
            {{ 'is_closing' if pattern == 'farewell_loop' else 'true' }} as begins,
            fingerprint

        from turn_patterns

        where in_{{ pattern }}

        {{ 'union all' if not loop.last }}

    {% endfor %}
),

-- Turns in a row have the same difference between their position and their position among those
-- that hold.
pattern_runs as (

    select
        *,
        place - row_number() over (
            partition by conversation_id, pattern
            order by place
        ) as run

    from pattern_turns

),

pattern_phases as (

    select
        conversation_id,
        pattern,
        min(turn_number) filter (where begins) as onset_turn,
        min(place) filter (where begins) as first_place,
        max(place) as last_place,
        fingerprint

    from pattern_runs

    group by conversation_id, pattern, run, turns_needed, places, fingerprint

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
        {% for pattern in pattern_names() -%}
            min(onset_turn) filter (where pattern = '{{ pattern }}') as {{ pattern }}_turn,
        {% endfor -%}
        min(first_place) filter (where pattern = 'loop') as loop_place,
        sum(last_place - first_place + 1) filter (where pattern = 'loop') as turns_in_loops,
        fingerprint

    from pattern_phases

    group by conversation_id, fingerprint

),

-- A loop is left with two turns in a row that bring something new.
loop_turns as (

    select
        turn_patterns.conversation_id,
        turn_patterns.turn_number,
        turn_patterns.place,
        turn_patterns.in_loop,
        turn_patterns.nearest_turn_distance,
        pattern_onsets.loop_place,
        lead(turn_patterns.in_loop) over (
            partition by turn_patterns.conversation_id
            order by turn_patterns.place
        ) as goes_on

    from turn_patterns

    left join pattern_onsets
        on turn_patterns.conversation_id = pattern_onsets.conversation_id

),

loops as (

    select
        conversation_id,
        min(turn_number) filter (where place > loop_place and not in_loop and not goes_on)
            as loop_escape_turn,
        mode(nearest_turn_distance order by nearest_turn_distance) filter (
            where in_loop and place >= loop_place
        ) as loop_period

    from loop_turns

    group by conversation_id

)

select
    pattern_onsets.conversation_id,
    {% for pattern in pattern_names() -%}
        pattern_onsets.{{ pattern }}_turn,
    {% endfor -%}
    loops.loop_escape_turn,
    loops.loop_period,
    cast(pattern_onsets.turns_in_loops as integer) as turns_in_loops,
    pattern_onsets.fingerprint

from pattern_onsets

left join loops
    on pattern_onsets.conversation_id = loops.conversation_id
