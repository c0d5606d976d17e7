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

conversation_files as (

    select * from {{ ref('int_conversation_files') }}

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
-- (MessageCompleteEvent, an estimate where the provider reported nothing), thinking, and the
-- models that each start of the conversation names.
token_events as (

    select
        events.conversation_id,
        unnest(
            if(
                events.event_type = 'ConversationStartEvent',
                ['agent_a', 'agent_b'],
                [events.agent_id]
            )
        ) as agent_id,
        events.event_type,
        conversation_files.file_order,
        events.line_position,
        changed_conversations.fingerprint,
        events.event_data,
        json_extract_string(events.event_data, [
            '$.model', '$.prompt_tokens', '$.completion_tokens', '$.tokens_used',
            '$.cache_read_tokens', '$.cache_write_tokens', '$.thinking_tokens',
            '$.message.content',
            '$.agent_a_model', '$.agent_a.model', '$.agent_b_model', '$.agent_b.model'
        ]) as field

    from events

    inner join changed_conversations
        on events.conversation_id = changed_conversations.conversation_id

    inner join conversation_files
        on
            events.conversation_id = conversation_files.conversation_id
            and events.source_file = conversation_files.source_file

    where
        events.event_type = 'ConversationStartEvent'
        or (
            events.event_type in (
                'TokenUsageEvent', 'MessageCompleteEvent', 'ThinkingCompleteEvent'
            )
            and events.agent_id in ('agent_a', 'agent_b')
        )

),

counts as (

    select
        conversation_id,
        agent_id,
        event_type,
        file_order,
        line_position,
        fingerprint,
        nullif(
            case
                when event_type != 'ConversationStartEvent' then field[1]
                when agent_id = 'agent_a' then coalesce(field[9], field[10])
                else coalesce(field[11], field[12])
            end,
            ''
        ) as named_model,
        event_type = 'MessageCompleteEvent' as is_reply,
        -- The first providers' reports (June 2025) named neither agent nor prompt.
        event_type = 'TokenUsageEvent' and field[2] is not null as is_report,
        {{ message_text('event_data', '$.message.content', 'field[8]') }} as content,
        {{ logged_tokens('field[2]') }} as prompt_tokens,
        {{ logged_tokens('field[3]') }} as completion_tokens,
        {{ logged_tokens('field[4]') }} as tokens_used,
        {{ logged_tokens('field[5]') }} as cache_read_tokens,
        {{ logged_tokens('field[6]') }} as cache_write_tokens,
        {{ logged_tokens('field[7]') }} as thinking_tokens

    from token_events

),

-- Before texts are sorted: they are most of the bytes.
outcomes as (

    select
        * exclude (content),
        coalesce({{ is_api_error_placeholder('content') }}, false) as is_failed

    from counts

),

-- A report follows the reply that it is about. A reply that no report follows before the agent's
-- next one counts by itself; it does not name its model, so it is the one last named.
ordered_counts as (

    select
        * exclude (named_model),
        last_value(named_model ignore nulls) over so_far as model,
        lead(if(is_reply or is_report, is_report, null) ignore nulls) over so_far
            as is_reported_next

    from outcomes

    window so_far as (
        partition by conversation_id, agent_id
        order by file_order, line_position
    )

),

calls as (

    select
        conversation_id,
        agent_id,
        fingerprint,
        is_report as is_reported,
        is_report
        or (
            is_reply
            and not coalesce(is_reported_next, false)
            and not is_failed
        ) as is_call,
        if(is_call, model, null) as model,
        prompt_tokens,
        -- Logged prompt tokens include the cached ones. Not greatest(), which passes over a NULL.
        if(
            prompt_tokens < coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0),
            0,
            prompt_tokens - coalesce(cache_read_tokens, 0) - coalesce(cache_write_tokens, 0)
        ) as uncached_prompt_tokens,
        completion_tokens,
        -- Some providers count thinking in the total only; it is billed as output.
        greatest(
            completion_tokens,
            if(is_report and tokens_used >= prompt_tokens, tokens_used - prompt_tokens, null)
        ) as billed_completion_tokens,
        cache_read_tokens,
        cache_write_tokens,
        if(event_type = 'ThinkingCompleteEvent', thinking_tokens, null) as thinking_tokens

    from ordered_counts

    where
        is_call
        or event_type in ('TokenUsageEvent', 'ThinkingCompleteEvent')

)

select
    conversation_id,
    agent_id,
    model,
    is_reported,
    cast(count(*) filter (where is_call) as integer) as call_count,
    cast(
        count(*) filter (
            where is_call and (prompt_tokens is null or billed_completion_tokens is null)
        ) as integer
    ) as uncounted_call_count,
    cast(sum(prompt_tokens) filter (where is_call) as bigint) as prompt_tokens,
    cast(sum(uncached_prompt_tokens) filter (where is_call) as bigint) as uncached_prompt_tokens,
    cast(sum(completion_tokens) filter (where is_call) as bigint) as completion_tokens,
    cast(sum(billed_completion_tokens) filter (where is_call) as bigint)
        as billed_completion_tokens,
    cast(sum(cache_read_tokens) filter (where is_call) as bigint) as cache_read_tokens,
    cast(sum(cache_write_tokens) filter (where is_call) as bigint) as cache_write_tokens,
    cast(sum(thinking_tokens) as bigint) as thinking_tokens,
    any_value(fingerprint) as fingerprint

from calls

group by conversation_id, agent_id, model, is_reported
