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
        message_tokens.fingerprint

    from message_tokens
    {{ only_changed('message_tokens', ref('int_message_tokens')) }}

    where message_tokens.token_text is not null

),

hashed_messages as (

    select
        * exclude (tokens),
        {{ token_hashes('tokens') }} as token_hashes

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
        fingerprint

    from turn_phrases

    window conversation as (
        partition by conversation_id
        order by turn_number
    )

),

turn_phrase_uses as (

    select
        turn_phrases.conversation_id,
        turns.place,
        unnest(turn_phrases.phrases) as phrase

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
        hash(conversation_id, phrase) as conversation_phrase

    from turn_phrase_uses

),

-- Most phrases occur once, and need no further thought.
recurring_phrases as (

    select conversation_phrase

    from phrase_uses

    group by conversation_phrase

    having count(*) > 1

),

neighbouring_uses as (

    select
        phrase_uses.conversation_id,
        phrase_uses.place,
        lag(phrase_uses.place) over same_phrase as previous_place,
        lead(phrase_uses.place) over same_phrase as next_place

    from phrase_uses

    semi join recurring_phrases
        on phrase_uses.conversation_phrase = recurring_phrases.conversation_phrase

    window same_phrase as (
        partition by phrase_uses.conversation_phrase
        order by phrase_uses.place
    )

),

-- A phrase counts as repeated from its use in one turn on until the next use, which then
-- speaks for it, or until the use before falls out of the five turns: linear in the number of
-- words, where counting the phrases of every five turns anew is five times as much.
repetitions as (

    select
        conversation_id,
        place as begins_at,
        least(previous_place + 5, next_place) as ends_before

    from neighbouring_uses

    where
        previous_place > place - 5
        and next_place is distinct from place

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
    turns.fingerprint

from turns

left join changes_by_turn
    on
        turns.conversation_id = changes_by_turn.conversation_id
        and turns.place = changes_by_turn.place

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
