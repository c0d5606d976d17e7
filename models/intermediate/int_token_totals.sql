{{
    config(
        materialized = 'incremental',
        incremental_strategy = 'replace_changed',
        unique_key = 'conversation_id',
        meta = {'fingerprints': 'int_conversations'},
        contract = {'enforced': true},
    )
}}

with

conversations as (

    select * from {{ ref('int_current_conversations') }}

),

events as (

    select * from {{ ref('int_events') }}

),

changed_conversations as (

    select conversations.*

    from conversations
    {{ only_changed('conversations', ref('int_current_conversations')) }}

),

-- What a provider reported (TokenUsageEvent), what Pidgin noted beside each reply
-- (MessageCompleteEvent, an estimate where the provider reported nothing), and thinking.
token_events as (

    select
        events.conversation_id,
        events.agent_id,
        events.event_type,
        changed_conversations.fingerprint,
        json_extract_string(events.event_data, [
            '$.model', '$.prompt_tokens', '$.completion_tokens', '$.tokens_used',
            '$.cache_read_tokens', '$.cache_write_tokens', '$.thinking_tokens',
            '$.message.content'
        ]) as field

    from events

    inner join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    where
        events.event_type in ('TokenUsageEvent', 'MessageCompleteEvent', 'ThinkingCompleteEvent')
        and events.agent_id in ('agent_a', 'agent_b')

),

counts as (

    select
        conversation_id,
        agent_id,
        event_type,
        fingerprint,
        field[1] as model,
        try_cast(field[2] as bigint) as prompt_tokens,
        try_cast(field[3] as bigint) as completion_tokens,
        -- Some providers count thinking in the total only; it is billed as output.
        greatest(
            try_cast(field[3] as bigint),
            if(
                event_type = 'TokenUsageEvent',
                try_cast(field[4] as bigint) - try_cast(field[2] as bigint),
                null
            )
        ) as billed_completion_tokens,
        try_cast(field[5] as bigint) as cache_read_tokens,
        try_cast(field[6] as bigint) as cache_write_tokens,
        try_cast(field[7] as bigint) as thinking_tokens

    from token_events

    where
        event_type != 'MessageCompleteEvent'
        or not coalesce({{ is_api_error_placeholder('field[8]') }}, false)

),

-- The first providers' reports (June 2025) named neither agent nor prompt.
reporting_agents as (

    select
        *,
        bool_or(event_type = 'TokenUsageEvent' and prompt_tokens is not null) over (
            partition by conversation_id, agent_id
        ) as is_reported

    from counts

),

calls as (

    select
        *,
        event_type = if(is_reported, 'TokenUsageEvent', 'MessageCompleteEvent') as is_call

    from reporting_agents

)

select
    conversation_id,
    agent_id,
    max(model) as reported_model,
    bool_or(is_reported) as is_reported,
    cast(count(*) filter (where is_call) as integer) as call_count,
    cast(sum(prompt_tokens) filter (where is_call) as bigint) as prompt_tokens,
    cast(sum(completion_tokens) filter (where is_call) as bigint) as completion_tokens,
    cast(sum(billed_completion_tokens) filter (where is_call) as bigint)
        as billed_completion_tokens,
    cast(sum(cache_read_tokens) filter (where is_call) as bigint) as cache_read_tokens,
    cast(sum(cache_write_tokens) filter (where is_call) as bigint) as cache_write_tokens,
    cast(
        sum(thinking_tokens) filter (where event_type = 'ThinkingCompleteEvent') as bigint
    ) as thinking_tokens,
    any_value(fingerprint) as fingerprint

from calls

group by conversation_id, agent_id
