-- A returned row is a figure that no event logged: a score, a count of tokens or a time that
-- has a value where the log has none, or has none where the log has one; or a cost without
-- a price. If one were returned, means would be pulled towards 0 by what was never measured.

with

events as (

    select * from {{ ref('events') }}

),

turn_metrics as (

    select * from {{ ref('turn_metrics') }}

),

messages as (

    select * from {{ ref('messages') }}

),

token_usage as (

    select * from {{ ref('token_usage') }}

),

logged_scores as (

    select
        conversation_id,
        turn_number,
        if(
            try_cast(json_extract_string(event_data, '$.convergence_score') as double)
            between 0 and 1,
            try_cast(json_extract_string(event_data, '$.convergence_score') as double),
            null
        ) as score

    from events

    where
        event_type = 'TurnCompleteEvent'
        and turn_number is not null

),

turn_scores as (

    select
        conversation_id,
        turn_number,
        list(score) filter (where score is not null) as scores,
        count(*) = count(score) as is_always_scored

    from logged_scores

    group by conversation_id, turn_number

),

logged_replies as (

    select
        conversation_id,
        agent_id,
        json_extract_string(
            event_data, ['$.prompt_tokens', '$.completion_tokens', '$.duration_ms']
        ) as field

    from events

    where event_type = 'MessageCompleteEvent'

),

agent_replies as (

    select
        conversation_id,
        agent_id,
        list(try_cast(field[1] as integer)) as prompt_tokens,
        list(try_cast(field[2] as integer)) as completion_tokens,
        list(try_cast(field[3] as bigint)) as durations

    from logged_replies

    group by conversation_id, agent_id

),

unmeasured_scores as (

    select
        turn_metrics.conversation_id,
        turn_metrics.turn_number,
        cast(null as varchar) as agent_id,
        'convergence_score' as figure

    from turn_metrics

    left join turn_scores
        on
            turn_metrics.conversation_id = turn_scores.conversation_id
            and turn_metrics.turn_number = turn_scores.turn_number

    where
        if(
            turn_metrics.convergence_score is null,
            turn_scores.is_always_scored,
            not coalesce(list_contains(turn_scores.scores, turn_metrics.convergence_score), false)
        )

),

unmeasured_replies as (

    select
        messages.conversation_id,
        messages.turn_number,
        messages.agent_id,
        'tokens or response time' as figure

    from messages

    left join agent_replies
        on
            messages.conversation_id = agent_replies.conversation_id
            and messages.agent_id = agent_replies.agent_id

    where
        (
            messages.is_api_error
            and 0 in (messages.prompt_tokens, messages.completion_tokens, messages.total_tokens)
        )
        or (
            messages.prompt_tokens is not null
            and not coalesce(
                list_contains(agent_replies.prompt_tokens, messages.prompt_tokens), false
            )
        )
        or (
            messages.completion_tokens is not null
            and not coalesce(
                list_contains(agent_replies.completion_tokens, messages.completion_tokens), false
            )
        )
        or (
            messages.response_time_ms is not null
            and not coalesce(
                list_contains(agent_replies.durations, messages.response_time_ms), false
            )
        )

),

unpriced_costs as (

    select
        conversation_id,
        cast(null as integer) as turn_number,
        agent_id,
        'cost_usd' as figure

    from token_usage

    where
        cost_usd is not null
        and (price_valid_from is null or prompt_tokens is null or uncounted_call_count > 0)

)

select * from unmeasured_scores

union all

select * from unmeasured_replies

union all

select * from unpriced_costs
