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

    select distinct model as logged_model

    from token_totals

    where model is not null

),

{{ named_models_steps() }},

-- As the provider named the model, else as it was named at the start.
named_totals as (

    select
        token_totals.* exclude (model),
        conversations.experiment_id,
        coalesce(
            named_models.model,
            if(
                token_totals.agent_id = 'agent_a',
                conversations.agent_a_model,
                conversations.agent_b_model
            )
        ) as model,
        coalesce(
            named_models.provider,
            if(
                token_totals.agent_id = 'agent_a',
                conversations.agent_a_provider,
                conversations.agent_b_provider
            )
        ) as provider,
        coalesce(
            token_totals.model,
            if(
                token_totals.agent_id = 'agent_a',
                conversations.agent_a_model_logged,
                conversations.agent_b_model_logged
            )
        ) as model_logged,
        cast(timezone('UTC', conversations.started_at) as date) as run_date,
        -- Thinking alone is no call, and its model no other one than that of the calls.
        token_totals.call_count > 0
        or max(token_totals.call_count) over (
            partition by token_totals.conversation_id, token_totals.agent_id
        ) = 0 as is_priced

    from token_totals

    left join conversations
        on token_totals.conversation_id = conversations.conversation_id

    left join named_models
        on token_totals.model = named_models.logged_model

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

),

costs as (

    select
        *,
        -- In millionths of a dollar.
        if(
            uncounted_call_count > 0,
            null,
            uncached_prompt_tokens * prompt_price
            + coalesce(cache_read_tokens, 0) * cache_read_price
            + coalesce(cache_write_tokens, 0) * cache_write_price
            + billed_completion_tokens * completion_price
        ) as call_cost

    from priced_totals

)

select
    conversation_id,
    any_value(experiment_id) as experiment_id,
    agent_id,
    if(
        count(distinct model) filter (where is_priced) < 2,
        max(model) filter (where is_priced),
        null
    ) as model,
    if(
        count(distinct model) filter (where is_priced) < 2,
        coalesce(
            max(model_logged) filter (where is_priced and is_reported),
            max(model_logged) filter (where is_priced)
        ),
        null
    ) as model_logged,
    list(distinct model order by model) filter (where is_priced) as models,
    if(
        count(distinct provider) filter (where is_priced) < 2,
        max(provider) filter (where is_priced),
        null
    ) as provider,
    bool_and(is_reported) filter (where is_priced) as is_reported,
    cast(sum(call_count) as integer) as call_count,
    cast(coalesce(sum(call_count) filter (where is_reported), 0) as integer)
        as reported_call_count,
    cast(sum(uncounted_call_count) as integer) as uncounted_call_count,
    cast(sum(prompt_tokens) as bigint) as prompt_tokens,
    cast(sum(completion_tokens) as bigint) as completion_tokens,
    cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
    cast(sum(cache_write_tokens) as bigint) as cache_write_tokens,
    cast(sum(thinking_tokens) as bigint) as thinking_tokens,
    -- A sum of the known parts would be no cost.
    if(
        bool_and(call_cost is not null) filter (where is_priced),
        cast(sum(call_cost) / 1000000 as double),
        null
    ) as cost_usd,
    if(
        bool_and(price_valid_from is not null) filter (where is_priced),
        max(price_valid_from),
        null
    ) as price_valid_from

from costs

group by conversation_id, agent_id
