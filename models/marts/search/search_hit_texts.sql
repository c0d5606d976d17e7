{{
    config(
        schema = 'intermediate',
        access = 'private',
        materialized = 'table_function',
        parameters = [
            'query', 'max_hits', 'of_experiment', 'of_model', 'of_agent', 'from_turn', 'to_turn',
            'since',
        ],
        contract = {'enforced': false},
    )
}}

with

items as (

    -- A function also where dbt makes every relation an empty query.
    select * from {{ ref('search_items').render() }}(query)

),

-- What is asked for is worked out once, and handed on as one value. DuckDB looks for this name
-- where a function uses its argument, so none of them may have a step that is called so.
query_items as (

    select list(items) as asked_items from items

),

wanted_terms as (

    select unnest(terms) as wanted

    from items

    where not is_excluded

),

-- What is to be marked in a snippet.
marked_terms as (

    select
        coalesce(
            list(wanted['term'])
            filter (where not wanted['is_prefix'] and not wanted['is_unspaced']),
            []
        ) as whole_terms,
        coalesce(
            list(wanted['term']) filter (where wanted['is_prefix'] and not wanted['is_unspaced']),
            []
        ) as prefixes,
        coalesce(list(wanted['term']) filter (where wanted['is_unspaced']), []) as unspaced_terms

    from wanted_terms

),

hits as materialized (

    select
        hits.*,
        marked_terms.*

    from
        {{ ref('search_hits').render() }}(
            -- noqa: disable=RF02
            query, (select query_items.asked_items from query_items), max_hits,
            of_experiment, of_model, of_agent, from_turn, to_turn, since
            -- noqa: enable=RF02
        ) as hits

    cross join marked_terms

),

hit_texts as (

    select
        hits.*,
        messages.sent_at,
        messages.content

    from {{ ref('int_messages') }} as messages

    inner join hits
        on messages.rowid = hits.row_of_text

    where hits.text_kind = 'message'

    union all

    select
        hits.*,
        thinking_traces.thought_at as sent_at,
        thinking_traces.thinking_content as content

    from {{ ref('int_thinking_traces') }} as thinking_traces

    inner join hits
        on thinking_traces.rowid = hits.row_of_text

    where hits.text_kind = 'thinking'

)

-- What is used twice is kept, and then all threads make snippets of it. `materialized` would say
-- so, but DuckDB forgets it of a function.
select
    conversation_id,
    agent_id,
    text_kind,
    turn_number,
    experiment_id,
    score,
    row_of_text,
    whole_terms,
    prefixes,
    unspaced_terms,
    sent_at,
    content

from hit_texts

where (select count(kept_texts.score) from hit_texts as kept_texts) > 0
