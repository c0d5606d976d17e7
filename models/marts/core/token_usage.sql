{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        on_schema_change = 'fail',
    )
}}

with

conversations as (

    select * from {{ ref('int_conversations') }}

),

events as (

    select * from {{ ref('int_events') }}

),

messages as (

    select * from {{ ref('messages') }}

),

thinking_traces as (

    select * from {{ ref('thinking_traces') }}

),

conversation_details as (

    select * from {{ ref('conversations') }}

),

model_aliases as (

    select * from {{ ref('model_aliases') }}

),

model_prices as (

    select * from {{ ref('model_prices') }}

),

changed_conversations as (

    select conversations.*

    from conversations
    {% if is_incremental() %}
        anti join {{ processed(this) }} as processed
            on
                conversations.conversation_id = processed.conversation_id
                and conversations.fingerprint = processed.fingerprint
    {% endif %}

),

reported_calls as (

    select
        events.conversation_id,
        events.agent_id,
        events.timestamp,
        json_extract_string(events.event_data, [
            '$.model', '$.prompt_tokens', '$.completion_tokens', '$.tokens_used',
            '$.cache_read_tokens', '$.cache_write_tokens'
        ]) as field

    from events

    semi join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    where
        events.event_type = 'TokenUsageEvent'
        and events.agent_id in ('agent_a', 'agent_b')

),

calls as (

    select
        conversation_id,
        agent_id,
        field[1] as model,
        try_cast(field[2] as bigint) as prompt_tokens,
        try_cast(field[3] as bigint) as completion_tokens,
        try_cast(field[5] as bigint) as cache_read_tokens,
        try_cast(field[6] as bigint) as cache_write_tokens,
        -- Some providers count thinking in the total only; it is billed as output.
        greatest(
            try_cast(field[3] as bigint),
            try_cast(field[4] as bigint) - try_cast(field[2] as bigint)
        ) as billed_completion_tokens,
        true as is_reported

    from reported_calls

    where try_cast(field[2] as bigint) is not null

),

estimates as (

    select
        messages.conversation_id,
        messages.agent_id,
        cast(null as varchar) as model,
        cast(messages.prompt_tokens as bigint) as prompt_tokens,
        cast(messages.completion_tokens as bigint) as completion_tokens,
        cast(messages.cache_read_tokens as bigint) as cache_read_tokens,
        cast(messages.cache_write_tokens as bigint) as cache_write_tokens,
        cast(messages.completion_tokens as bigint) as billed_completion_tokens,
        false as is_reported

    from messages

    semi join changed_conversations
        on messages.conversation_id = changed_conversations.conversation_id

    anti join calls
        on
            messages.conversation_id = calls.conversation_id
            and messages.agent_id = calls.agent_id

    where not messages.is_api_error

),

all_calls as (

    select * from calls

    union all

    select * from estimates

),

agent_totals as (

    select
        conversation_id,
        agent_id,
        min(model) as reported_model,
        bool_and(is_reported) as is_reported,
        count(*) as call_count,
        sum(prompt_tokens) as prompt_tokens,
        sum(completion_tokens) as completion_tokens,
        sum(billed_completion_tokens) as billed_completion_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(cache_write_tokens) as cache_write_tokens

    from all_calls

    group by conversation_id, agent_id

),

thinking_totals as (

    select
        thinking_traces.conversation_id,
        thinking_traces.agent_id,
        sum(thinking_traces.thinking_tokens) as thinking_tokens

    from thinking_traces

    semi join changed_conversations
        on thinking_traces.conversation_id = changed_conversations.conversation_id

    group by thinking_traces.conversation_id, thinking_traces.agent_id

),

modelled_totals as (

    select
        agent_totals.*,
        thinking_totals.thinking_tokens,
        coalesce(
            agent_totals.reported_model,
            if(
                agent_totals.agent_id = 'agent_a',
                conversation_details.agent_a_model,
                conversation_details.agent_b_model
            )
        ) as model,
        cast(timezone('UTC', conversation_details.started_at) as date) as run_date

    from agent_totals

    inner join conversation_details
        on agent_totals.conversation_id = conversation_details.conversation_id

    left join thinking_totals
        on
            agent_totals.conversation_id = thinking_totals.conversation_id
            and agent_totals.agent_id = thinking_totals.agent_id

),

named_totals as (

    select
        modelled_totals.*,
        coalesce(model_aliases.model, modelled_totals.model) as priced_model

    from modelled_totals

    left join model_aliases
        on modelled_totals.model = model_aliases.logged_model

),

-- The price in force when the conversation started.
priced_totals as (

    select
        named_totals.*,
        model_prices.valid_from as price_valid_from,
        model_prices.prompt_usd_per_million_tokens as prompt_price,
        model_prices.completion_usd_per_million_tokens as completion_price,
        coalesce(
            model_prices.cache_read_usd_per_million_tokens, model_prices.prompt_usd_per_million_tokens
        ) as cache_read_price,
        coalesce(
            model_prices.cache_write_usd_per_million_tokens, model_prices.prompt_usd_per_million_tokens
        ) as cache_write_price

    from named_totals

    asof left join model_prices
        on
            named_totals.priced_model = model_prices.model
            and named_totals.run_date >= model_prices.valid_from

)

select
    priced_totals.conversation_id,
    priced_totals.agent_id,
    priced_totals.model,
    priced_totals.is_reported,
    cast(priced_totals.call_count as integer) as call_count,
    cast(priced_totals.prompt_tokens as bigint) as prompt_tokens,
    cast(priced_totals.completion_tokens as bigint) as completion_tokens,
    cast(priced_totals.cache_read_tokens as bigint) as cache_read_tokens,
    cast(priced_totals.cache_write_tokens as bigint) as cache_write_tokens,
    cast(priced_totals.thinking_tokens as bigint) as thinking_tokens,
    -- Logged prompt tokens include the cached ones.
    cast(
        (
            greatest(
                priced_totals.prompt_tokens
                - coalesce(priced_totals.cache_read_tokens, 0)
                - coalesce(priced_totals.cache_write_tokens, 0),
                0
            ) * priced_totals.prompt_price
            + coalesce(priced_totals.cache_read_tokens, 0) * priced_totals.cache_read_price
            + coalesce(priced_totals.cache_write_tokens, 0) * priced_totals.cache_write_price
            + priced_totals.billed_completion_tokens * priced_totals.completion_price
        ) / 1000000 as double
    ) as cost_usd,
    priced_totals.price_valid_from,
    changed_conversations.fingerprint

from priced_totals

inner join changed_conversations
    on priced_totals.conversation_id = changed_conversations.conversation_id
