{{
    config(
        schema = 'intermediate',
        access = 'private',
        materialized = 'table_function',
        parameters = [
            'query', 'asked_items', 'max_hits', 'of_experiment', 'of_model', 'of_agent',
            'from_turn', 'to_turn', 'since',
        ],
        contract = {'enforced': false},
    )
}}

{%- set asks_for_a_time = "coalesce(cast(since as varchar), '-infinity') != '-infinity'" -%}

with

found_texts as (

    select *

    from
        {{ ref('search_found_texts').render() }}(
            query, asked_items, from_turn, to_turn
        )

),

-- An owner is an agent with its texts of one kind.
owners as (

    select
        hash(postings.conversation_id, postings.agent_id, postings.text_kind) as owner_key,
        postings.conversation_id,
        postings.agent_id,
        postings.text_kind,
        conversations.experiment_id

    from {{ ref('int_word_postings') }} as postings

    inner join {{ ref('conversations') }} as conversations
        on postings.conversation_id = conversations.conversation_id

    left join {{ ref('experiments') }} as experiments
        on conversations.experiment_id = experiments.experiment_id

    where
        postings.fingerprint >= 0
        -- noqa: disable=RF02
        and (
            coalesce(of_experiment, '') = ''
            or conversations.experiment_id = of_experiment
            or experiments.name = of_experiment
        )
        and (
            coalesce(of_model, '') = ''
            or of_model = if(
                postings.agent_id = 'agent_a',
                conversations.agent_a_model,
                conversations.agent_b_model
            )
        )
        and coalesce(of_agent, '') in ('', postings.agent_id)
        -- noqa: enable=RF02

),

older_texts as (

    select
        hash(conversation_id, agent_id, 'message') as owner_key,
        turn_number

    from {{ ref('int_messages') }}

    where
        {{ asks_for_a_time }}
        and (sent_at >= since) is not true

    union all

    select
        hash(conversation_id, agent_id, 'thinking') as owner_key,
        turn_number

    from {{ ref('int_thinking_traces') }}

    where
        {{ asks_for_a_time }}
        and (thought_at >= since) is not true

),

hits as (

    select
        owners.conversation_id,
        owners.agent_id,
        owners.text_kind,
        found_texts.turn_number,
        owners.experiment_id,
        found_texts.score

    from found_texts

    anti join older_texts
        on
            found_texts.owner_key = older_texts.owner_key
            and found_texts.turn_number = older_texts.turn_number

    inner join owners
        on found_texts.owner_key = owners.owner_key

),

best_hits as (

    select hits

    from hits

    order by score desc, conversation_id asc, turn_number asc, agent_id asc, text_kind asc

    -- noqa: disable=RF02
    limit if(max_hits < 0, null, cast(floor(cast(max_hits as double)) as bigint))
    -- noqa: enable=RF02

),

-- Of rows of a list DuckDB expects few: see search_candidates.
listed_hits as materialized (

    select unnest(list(hits), max_depth := 2) from best_hits

),

-- Where the texts of hits stand in their tables: by these numbers, few others are read.
hit_rows as (

    select
        listed_hits.*,
        messages.rowid as row_of_text

    from {{ ref('int_messages') }} as messages

    inner join listed_hits
        on
            messages.conversation_id = listed_hits.conversation_id
            and messages.agent_id = listed_hits.agent_id
            and messages.turn_number = listed_hits.turn_number

    where listed_hits.text_kind = 'message'

    union all

    select
        listed_hits.*,
        thinking_traces.rowid as row_of_text

    from {{ ref('int_thinking_traces') }} as thinking_traces

    inner join listed_hits
        on
            thinking_traces.conversation_id = listed_hits.conversation_id
            and thinking_traces.agent_id = listed_hits.agent_id
            and thinking_traces.turn_number = listed_hits.turn_number

    where listed_hits.text_kind = 'thinking'

)

select
    conversation_id,
    agent_id,
    text_kind,
    turn_number,
    experiment_id,
    score,
    row_of_text

from hit_rows
