{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        on_schema_change = 'fail',
        meta = {'fingerprints': 'int_turns'},
    )
}}

with

turns as (

    select * from {{ ref('int_turns') }}

),

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

changed_turns as (

    select turns.*

    from turns
    {% if is_incremental() %}
        anti join {{ processed(this) }} as processed
            on
                turns.conversation_id = processed.conversation_id
                and turns.fingerprint = processed.fingerprint
    {% endif %}

),

-- A complete turn has tokens of both messages, NULL where a message is no speech. Joined on
-- the fingerprint too, so that tokens of an older state are never taken.
turn_tokens as (

    select
        changed_turns.conversation_id,
        changed_turns.turn_number,
        changed_turns.completed_at,
        changed_turns.convergence_score,
        changed_turns.fingerprint,
        agent_a.tokens as agent_a_tokens,
        agent_b.tokens as agent_b_tokens,
        list_concat(agent_a.tokens, agent_b.tokens) as both_tokens

    from changed_turns

    inner join message_tokens as agent_a
        on
            changed_turns.conversation_id = agent_a.conversation_id
            and changed_turns.turn_number = agent_a.turn_number
            and changed_turns.fingerprint = agent_a.fingerprint
            and agent_a.agent_id = 'agent_a'

    inner join message_tokens as agent_b
        on
            changed_turns.conversation_id = agent_b.conversation_id
            and changed_turns.turn_number = agent_b.turn_number
            and changed_turns.fingerprint = agent_b.fingerprint
            and agent_b.agent_id = 'agent_b'

),

vocabularies as (

    select
        *,
        list_unique(agent_a_tokens) as agent_a_words,
        list_unique(agent_b_tokens) as agent_b_words,
        -- list_concat takes a missing list for an empty one.
        if(
            agent_a_tokens is null or agent_b_tokens is null, null, list_unique(both_tokens)
        ) as both_words

    from turn_tokens

)

select
    conversation_id,
    turn_number,
    completed_at as timestamp,
    convergence_score,
    {{ jaccard_of_counts('agent_a_words', 'agent_b_words', 'both_words') }} as vocabulary_overlap,
    if(
        both_words is null,
        null,
        struct_pack(
            vocabulary_size := cast(both_words as integer),
            unique_words := cast(both_words as integer),
            type_token_ratio := cast(both_words as double) / greatest(len(both_tokens), 1)
        )
    ) as lexical_metrics,
    if(both_words is null, null, {{ word_frequencies('both_tokens') }}) as word_frequencies,
    {{ word_frequencies('agent_a_tokens') }} as agent_a_word_frequencies,
    {{ word_frequencies('agent_b_tokens') }} as agent_b_word_frequencies,
    fingerprint

from vocabularies
