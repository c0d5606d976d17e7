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

-- Turns in which both agents spoke, by numbers in order of conversation and turn: from here on
-- turns and phrases are numbers, which are cheaper to carry, sort and compare than text.
-- Conversations are five numbers apart, so that the five turns after one are none of the next.
turn_phrases as (

    select
        agent_a.conversation_id,
        agent_a.turn_number,
        hash(agent_a.conversation_id) as conversation,
        row_number() over (order by agent_a.conversation_id, agent_a.turn_number)
        + 5 * dense_rank() over (order by agent_a.conversation_id) as turn,
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

-- A message with fewer words than a phrase is one by itself, of another kind.
phrase_uses as (

    {% for phrases in ['phrases', 'short_messages'] -%}
        select
            turn,
            {{ phrases == 'phrases' }} as is_phrase,
            hash(conversation, {{ phrases == 'phrases' }}, unnest({{ phrases }}))
                as conversation_phrase

        from turn_phrases

        {{ 'union all' if not loop.last }}

    {% endfor %}
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
        phrase_uses.turn,
        phrase_uses.is_phrase,
        phrase_uses.conversation_phrase,
        count(*) as uses

    from phrase_uses

    semi join recurring_phrases
        on phrase_uses.conversation_phrase = recurring_phrases.conversation_phrase

    group by phrase_uses.turn, phrase_uses.is_phrase, phrase_uses.conversation_phrase

),

neighbouring_uses as (

    select
        turn,
        is_phrase,
        uses,
        lag(turn) over same_phrase as previous_turn,
        lead(turn) over same_phrase as next_turn

    from turn_uses

    window same_phrase as (partition by conversation_phrase order by turn)

),

-- What comes again in a turn: all uses of a phrase that one of the five turns before it has,
-- and the second and later uses of another.
returning_phrases as (

    select
        turn,
        sum(if(previous_turn >= turn - 5, uses, uses - 1)) as returning_phrases

    from neighbouring_uses

    group by turn

),

-- How much of a turn was last said in which turn before.
shared_phrases as (

    select
        turn,
        turn - previous_turn as distance,
        sum(uses) as phrases

    from neighbouring_uses

    where previous_turn is not null

    group by turn, previous_turn

),

nearest_turns as (

    select
        turn,
        max(phrases) as phrases,
        first(distance order by phrases desc, distance asc) as distance

    from shared_phrases

    group by turn

),

-- A phrase counts as repeated from its use in one turn on until the next use, which then
-- speaks for it, or until the use before falls out of the five turns: linear in the number of
-- words, where counting the phrases of every five turns anew is five times as much.
changes as (

    select
        unnest([turn, least(if(uses > 1, turn, previous_turn) + 5, next_turn)]) as turn,
        unnest([1, -1]) as delta

    from neighbouring_uses

    where
        is_phrase
        and (uses > 1 or previous_turn > turn - 5)

),

changes_by_turn as (

    select
        turn,
        sum(delta) as delta

    from changes

    group by turn

)

select
    turn_phrases.conversation_id,
    turn_phrases.turn_number,
    cast(sum(len(turn_phrases.phrases)) over recent_turns as integer) as phrases,
    cast(coalesce(sum(changes_by_turn.delta) over so_far, 0) as integer) as repeated_phrases,
    cast(len(turn_phrases.phrases) + len(turn_phrases.short_messages) as integer) as turn_phrases,
    cast(coalesce(returning_phrases.returning_phrases, 0) as integer) as returning_phrases,
    cast(coalesce(nearest_turns.phrases, 0) as integer) as nearest_turn_phrases,
    cast(nearest_turns.distance as integer) as nearest_turn_distance,
    turn_phrases.fingerprint

from turn_phrases

left join changes_by_turn
    on turn_phrases.turn = changes_by_turn.turn

left join returning_phrases
    on turn_phrases.turn = returning_phrases.turn

left join nearest_turns
    on turn_phrases.turn = nearest_turns.turn

window
    recent_turns as (
        partition by turn_phrases.conversation_id order by turn_phrases.turn
        rows between 4 preceding and current row
    ),
    so_far as (partition by turn_phrases.conversation_id order by turn_phrases.turn)
