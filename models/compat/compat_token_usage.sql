{{ config(alias = 'token_usage') }}

with

token_usage as (

    select * from {{ ref('token_usage') }}

),

conversations as (

    select * from {{ ref('conversations') }}

)

select
    cast(md5(token_usage.conversation_id || ' ' || token_usage.agent_id) as uuid) as id,
    conversations.started_at at time zone 'UTC' as timestamp,
    token_usage.conversation_id,
    token_usage.provider,
    if(
        token_usage.agent_id = 'agent_a',
        conversations.agent_a_model_logged,
        conversations.agent_b_model_logged
    ) as model,
    token_usage.prompt_tokens,
    token_usage.completion_tokens,
    token_usage.prompt_tokens + token_usage.completion_tokens as total_tokens,
    token_usage.cache_read_tokens,
    token_usage.cache_write_tokens,
    cast(null as integer) as requests_per_minute,
    cast(null as integer) as tokens_per_minute,
    cast(null as double) as current_rpm_usage,
    cast(null as double) as current_tpm_usage,
    cast(null as double) as prompt_cost,
    cast(null as double) as completion_cost,
    {{ rounded('token_usage.cost_usd * 100') }} as total_cost

from token_usage

left join conversations
    on token_usage.conversation_id = conversations.conversation_id
