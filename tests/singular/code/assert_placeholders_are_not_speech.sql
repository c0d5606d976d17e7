-- A returned row is a message that Pidgin put in place of a failed reply and that is not
-- flagged, was split into words, counts in a metric of its turn, or cost the turn its row.
-- If one were returned, the text of an error would be analysed as something a model said.

with

messages as (

    select * from {{ ref('messages') }}

),

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

placeholders as (

    select *

    from messages

    where
        is_api_error
        or content similar to '\[API error: .*\]'

)

select
    placeholders.conversation_id,
    placeholders.turn_number,
    placeholders.agent_id,
    placeholders.content

from placeholders

left join turn_metrics
    on
        placeholders.conversation_id = turn_metrics.conversation_id
        and placeholders.turn_number = turn_metrics.turn_number

left join message_tokens
    on
        placeholders.conversation_id = message_tokens.conversation_id
        and placeholders.turn_number = message_tokens.turn_number
        and placeholders.agent_id = message_tokens.agent_id

where
    not placeholders.is_api_error
    or placeholders.is_spoken
    or turn_metrics.is_spoken
    or message_tokens.token_text is not null
    or turn_metrics.vocabulary_overlap is not null
    or turn_metrics.lexical_metrics is not null
    or turn_metrics.word_frequencies is not null
    or if(
        placeholders.agent_id = 'agent_a',
        turn_metrics.agent_a_word_frequencies,
        turn_metrics.agent_b_word_frequencies
    ) is not null
    or (placeholders.is_turn_complete and turn_metrics.conversation_id is null)
