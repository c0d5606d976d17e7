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

messages as (

    select * from {{ ref('int_messages') }}

),

message_tokens as (

    select * from {{ ref('int_message_tokens') }}

),

changed_messages as (

    select message_tokens.*

    from message_tokens
    {{ only_changed('message_tokens', ref('int_message_tokens')) }}

    where message_tokens.token_text is not null

),

cleaned_messages as (

    select
        changed_messages.conversation_id,
        changed_messages.turn_number,
        changed_messages.agent_id,
        changed_messages.fingerprint,
        {{ cleaned_content('messages.content') }} as content

    from changed_messages

    inner join messages
        on
            changed_messages.conversation_id = messages.conversation_id
            and changed_messages.turn_number = messages.turn_number
            and changed_messages.agent_id = messages.agent_id
            and changed_messages.fingerprint = messages.fingerprint

),

outlined_messages as (

    select
        *,
        {{ outline('content') }} as outline

    from cleaned_messages

),

features as (

    select
        conversation_id,
        turn_number,
        agent_id,
        fingerprint,
        content,
        length(content) as characters,
        {{ match_count('outline', '[.!?]+[' ~ whitespace() ~ ']') }}
        + if(outline = '' or regexp_matches(outline, '[.!?]$'), 0, 1) as sentences,
        {{ occurrence_count('outline', 'chr(10) || chr(10)') }} + 1 as paragraphs,
        {{ match_count('outline', '(?m)^[' ~ whitespace() ~ ']*[-*•]|\\p{Nd}+\\.') }}
            as list_items,
        {{ occurrence_count('outline', "'?'") }} as questions,
        {{ occurrence_count('outline', "'```'") }} as code_fences,
        {{ occurrence_count('outline', "'!'") }} as exclamations,
        {{ occurrence_count('outline', "','") }} as commas,
        {{ occurrence_count('outline', "';'") }} as semicolons,
        {{ occurrence_count('outline', "':'") }} as colons,
        {{ occurrence_count('outline', "'-'") }} + {{ occurrence_count('outline', "'—'") }}
            as dashes

    from outlined_messages

),

-- A turn and the four before it in which both agents spoke: their last ten messages.
windows as (

    select
        agent_a.conversation_id,
        agent_a.turn_number,
        agent_a.fingerprint,
        {{ lower_case('agent_a.content') }} as a_content,
        {{ lower_case('agent_b.content') }} as b_content,
        {% for feature in [
            'characters', 'sentences', 'paragraphs', 'list_items', 'questions', 'code_fences',
            'exclamations', 'commas', 'semicolons', 'colons', 'dashes',
        ] -%}
            sum(agent_a.{{ feature }}) over recent_turns as a_{{ feature }},
            sum(agent_b.{{ feature }}) over recent_turns as b_{{ feature }},
        {% endfor -%}
        count(*) over recent_turns as turns

    from features as agent_a

    inner join features as agent_b
        on
            agent_a.conversation_id = agent_b.conversation_id
            and agent_a.turn_number = agent_b.turn_number

    where
        agent_a.agent_id = 'agent_a'
        and agent_b.agent_id = 'agent_b'

    window recent_turns as (
        partition by agent_a.conversation_id
        order by agent_a.turn_number
        rows between 4 preceding and current row
    )

),

-- Text that the other's text contains is compared by length.
contained_contents as (

    select
        *,
        case
            when a_content = b_content then 1.0
            when contains(a_content, b_content) or contains(b_content, a_content)
                then {{ ratio_or_zero('length(a_content)', 'length(b_content)') }}
        end as containment,
        length(a_content) < 50 and length(b_content) < 50 as is_short

    from windows

),

-- Any other short text by its characters, longer text by its words.
compared_contents as (

    select
        * exclude (a_content, b_content),
        case
            when containment is not null then []
            when is_short then {{ characters('a_content') }}
            else {{ spaced_words(spaced_text('a_content')) }}
        end as a_content,
        case
            when containment is not null then []
            when is_short then {{ characters('b_content') }}
            else {{ spaced_words(spaced_text('b_content')) }}
        end as b_content

    from contained_contents

),

hashed_contents as (

    select
        * exclude (a_content, b_content),
        {{ token_hashes('a_content') }} as a_hashes,
        {{ token_hashes('b_content') }} as b_hashes

    from compared_contents

)

select
    conversation_id,
    turn_number,
    coalesce(containment, {{ jaccard_of_lists('a_hashes', 'b_hashes') }}) as content_similarity,
    {{ ratio_or_zero('a_characters / turns', 'b_characters / turns') }} as length_similarity,
    {{ ratio_or_zero('a_sentences / turns', 'b_sentences / turns') }} as sentence_similarity,
    (
        {{ ratio_or_none('a_paragraphs / turns', 'b_paragraphs / turns') }}
        + {{ ratio_or_none('a_list_items / turns', 'b_list_items / turns') }}
        + {{ ratio_or_none('a_questions / turns', 'b_questions / turns') }}
        + {{ ratio_or_none('a_code_fences / turns', 'b_code_fences / turns') }}
    ) / 4 as structure_similarity,
    (
        {{ punctuation_ratio('exclamations') }}
        + {{ punctuation_ratio('commas') }}
        + {{ punctuation_ratio('semicolons') }}
        + {{ punctuation_ratio('colons') }}
        + {{ punctuation_ratio('dashes') }}
    ) / 5 as punctuation_similarity,
    fingerprint

from hashed_contents
