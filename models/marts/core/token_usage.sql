{{ config(materialized = 'view') }}

with

token_totals as (

    select * from {{ ref('int_token_totals') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

model_aliases as (

    select * from {{ ref('model_aliases') }}

),

model_prices as (

    select * from {{ ref('model_prices') }}

),

dated_totals as (

    select
        token_totals.*,
        coalesce(
            token_totals.reported_model,
            if(
                token_totals.agent_id = 'agent_a',
                conversations.agent_a_model,
                conversations.agent_b_model
            )
        ) as model,
        cast(timezone('UTC', conversations.started_at) as date) as run_date

    from token_totals

    left join conversations
        on token_totals.conversation_id = conversations.conversation_id

),

named_totals as (

    select
        dated_totals.*,
        coalesce(model_aliases.model, dated_totals.model) as priced_model

    from dated_totals

    left join model_aliases
        on dated_totals.model = model_aliases.logged_model

),

-- The price in force when the conversation started.
priced_totals as (

    select
        named_totals.*,
        model_prices.valid_from as price_valid_from,
        model_prices.prompt_usd_per_million_tokens as prompt_price,
        model_prices.completion_usd_per_million_tokens as completion_price,
        coalesce(
            model_prices.cache_read_usd_per_million_tokens,
            model_prices.prompt_usd_per_million_tokens
        ) as cache_read_price,
        coalesce(
            model_prices.cache_write_usd_per_million_tokens,
            model_prices.prompt_usd_per_million_tokens
        ) as cache_write_price

    from named_totals

    asof left join model_prices
        on
            named_totals.priced_model = model_prices.model
            and named_totals.run_date >= model_prices.valid_from

)

select
    conversation_id,
    agent_id,
    model,
    is_reported,
    call_count,
    prompt_tokens,
    completion_tokens,
    cache_read_tokens,
    cache_write_tokens,
    thinking_tokens,
    -- Logged prompt tokens include the cached ones.
    cast(
        (
            -- Not greatest(), which passes over a NULL.
            if(
                prompt_tokens < coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0),
                0,
                prompt_tokens - coalesce(cache_read_tokens, 0) - coalesce(cache_write_tokens, 0)
            ) * prompt_price
            + coalesce(cache_read_tokens, 0) * cache_read_price
            + coalesce(cache_write_tokens, 0) * cache_write_price
            + billed_completion_tokens * completion_price
        ) / 1000000 as double
    ) as cost_usd,
    price_valid_from

from priced_totals
