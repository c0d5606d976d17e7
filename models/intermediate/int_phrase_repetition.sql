{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_message_tokens'},
        contract = {'enforced': true},
    )
}}

with

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

changed_messages as (

    select
        message_tokens.conversation_id,
        message_tokens.turn_number,
        message_tokens.agent_id,
        {{ token_list('message_tokens.token_text') }} as tokens,
        coalesce(message_tokens.wordless_text, message_tokens.token_text) as visible_text,
        message_tokens.fingerprint

    from message_tokens
    {{ only_changed('message_tokens', ref('int_message_tokens')) }}

    where message_tokens.token_text is not null

),

hashed_messages as (

    select
        * exclude (tokens, visible_text),
        {{ token_hashes('tokens') }} as token_hashes,
        if(len(tokens) < 3 and visible_text != '', [hash(visible_text)], []) as short_messages

    from changed_messages

),

message_phrases as (

    select
        * exclude (token_hashes),
        {{ ngrams('token_hashes', 3) }} as phrases

    from hashed_messages

),

-- Turns in which both agents spoke.
turn_phrases as (

    select
        agent_a.conversation_id,
        agent_a.turn_number,
        list_concat(agent_a.phrases, agent_b.phrases) as phrases,
        list_concat(agent_a.short_messages, agent_b.short_messages) as short_messages,
        agent_a.fingerprint

    from message_phrases as agent_a

    inner join message_phrases as agent_b
        on
            agent_a.conversation_id = agent_b.conversation_id
            and agent_a.turn_number = agent_b.turn_number

    where
        agent_a.agent_id = 'agent_a'
        and agent_b.agent_id = 'agent_b'

),

turns as (

    select
        conversation_id,
        turn_number,
        row_number() over conversation as place,
        len(phrases) as phrases,
        len(short_messages) as short_messages,
        fingerprint

    from turn_phrases

    window conversation as (
        partition by conversation_id
        order by turn_number
    )

),

-- A message with fewer words than a phrase is one by itself, of another kind.
turn_phrase_uses as (

    select
        turn_phrases.conversation_id,
        turns.place,
        true as is_phrase,
        unnest(turn_phrases.phrases) as phrase

    from turn_phrases

    inner join turns
        on
            turn_phrases.conversation_id = turns.conversation_id
            and turn_phrases.turn_number = turns.turn_number

    union all

    select
        turn_phrases.conversation_id,
        turns.place,
        false as is_phrase,
        unnest(turn_phrases.short_messages) as phrase

    from turn_phrases

    inner join turns
        on
            turn_phrases.conversation_id = turns.conversation_id
            and turn_phrases.turn_number = turns.turn_number

),

phrase_uses as (

    select
        conversation_id,
        place,
        is_phrase,
        hash(conversation_id, is_phrase, phrase) as conversation_phrase

    from turn_phrase_uses

),

-- Most phrases occur once, and need no further thought.
recurring_phrases as (

    select conversation_phrase

    from phrase_uses

    group by conversation_phrase

    having count(*) > 1

),

turn_uses as (

    select
        phrase_uses.conversation_id,
        phrase_uses.place,
        phrase_uses.is_phrase,
        phrase_uses.conversation_phrase,
        count(*) as uses

    from phrase_uses

    semi join recurring_phrases
        on phrase_uses.conversation_phrase = recurring_phrases.conversation_phrase

    group by
        phrase_uses.conversation_id,
        phrase_uses.place,
        phrase_uses.is_phrase,
        phrase_uses.conversation_phrase

),

neighbouring_uses as (

    select
        conversation_id,
        place,
        is_phrase,
        uses,
        lag(place) over same_phrase as previous_place,
        lead(place) over same_phrase as next_place

    from turn_uses

    window same_phrase as (
        partition by conversation_phrase
        order by place
    )

),

-- What comes again in a turn: all uses of a phrase that one of the five turns before it has,
-- and the second and later uses of another.
returning_phrases as (

    select
        conversation_id,
        place,
        sum(if(previous_place >= place - 5, uses, uses - 1)) as returning_phrases

    from neighbouring_uses

    group by conversation_id, place

),

-- How much of a turn was last said in which turn before.
shared_phrases as (

    select
        conversation_id,
        place,
        place - previous_place as distance,
        sum(uses) as phrases

    from neighbouring_uses

    where previous_place is not null

    group by conversation_id, place, previous_place

),

nearest_turns as (

    select
        conversation_id,
        place,
        max(phrases) as phrases,
        first(distance order by phrases desc, distance asc) as distance

    from shared_phrases

    group by conversation_id, place

),

-- A phrase counts as repeated from its use in one turn on until the next use, which then
-- speaks for it, or until the use before falls out of the five turns: linear in the number of
-- words, where counting the phrases of every five turns anew is five times as much.
repetitions as (

    select
        conversation_id,
        place as begins_at,
        least(if(uses > 1, place, previous_place) + 5, next_place) as ends_before

    from neighbouring_uses

    where
        is_phrase
        and (uses > 1 or previous_place > place - 5)

),

changes as (

    select
        conversation_id,
        begins_at as place,
        1 as delta

    from repetitions

    union all

    select
        conversation_id,
        ends_before as place,
        -1 as delta

    from repetitions

),

changes_by_turn as (

    select
        conversation_id,
        place,
        sum(delta) as delta

    from changes

    group by conversation_id, place

)

select
    turns.conversation_id,
    turns.turn_number,
    cast(sum(turns.phrases) over recent_turns as integer) as phrases,
    cast(coalesce(sum(changes_by_turn.delta) over so_far, 0) as integer) as repeated_phrases,
    cast(turns.phrases + turns.short_messages as integer) as turn_phrases,
    cast(coalesce(returning_phrases.returning_phrases, 0) as integer) as returning_phrases,
    cast(coalesce(nearest_turns.phrases, 0) as integer) as nearest_turn_phrases,
    cast(nearest_turns.distance as integer) as nearest_turn_distance,
    turns.fingerprint

from turns

left join changes_by_turn
    on
        turns.conversation_id = changes_by_turn.conversation_id
        and turns.place = changes_by_turn.place

left join returning_phrases
    on
        turns.conversation_id = returning_phrases.conversation_id
        and turns.place = returning_phrases.place

left join nearest_turns
    on
        turns.conversation_id = nearest_turns.conversation_id
        and turns.place = nearest_turns.place

window
    recent_turns as (
        partition by turns.conversation_id
        order by turns.place
        rows between 4 preceding and current row
    ),
    so_far as (
        partition by turns.conversation_id
        order by turns.place
    )
