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

model_providers as (

    select * from {{ ref('model_providers') }}

),

model_prices as (

    select * from {{ ref('model_prices') }}

),

logged_models as (

    select distinct reported_model as logged_model

    from token_totals

    where reported_model is not null

),

{{ named_models_steps() }},

-- As the provider named the model, else as it was named at the start.
named_totals as (

    select
        token_totals.*,
        conversations.experiment_id,
        if(
            token_totals.agent_id = 'agent_a',
            conversations.agent_a_model,
            conversations.agent_b_model
        ) as started_model,
        if(
            token_totals.agent_id = 'agent_a',
            conversations.agent_a_provider,
            conversations.agent_b_provider
        ) as started_provider,
        coalesce(named_models.model, started_model) as model,
        coalesce(named_models.provider, started_provider) as provider,
        coalesce(
            token_totals.reported_model,
            if(
                token_totals.agent_id = 'agent_a',
                conversations.agent_a_model_logged,
                conversations.agent_b_model_logged
            )
        ) as model_logged,
        cast(timezone('UTC', conversations.started_at) as date) as run_date

    from token_totals

    left join conversations
        on token_totals.conversation_id = conversations.conversation_id

    left join named_models
        on token_totals.reported_model = named_models.logged_model

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
            {{ model_key('named_totals.model') }} = {{ model_key('model_prices.model') }}
            and named_totals.run_date >= model_prices.valid_from

)

select
    conversation_id,
    experiment_id,
    agent_id,
    model,
    model_logged,
    provider,
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
