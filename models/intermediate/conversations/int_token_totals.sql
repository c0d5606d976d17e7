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

files as (

    select * from {{ ref('int_current_files') }}

),

changed_files as (

    select files.*

    from files
    {{ only_changed('files', 'files') }}

),

conversation_starts as (

    {{ ordered_events(ref('int_conversation_starts')) }}

),

message_replies as (

    {{ ordered_events(ref('int_message_replies')) }}

),

token_reports as (

    {{ ordered_events(ref('int_token_reports')) }}

),

thinking_records as (

    {{ ordered_events(ref('int_thinking_records')) }}

),

-- What a provider reported, what Pidgin noted beside each reply (an estimate where the provider
-- reported nothing), thinking, and the models that each start of the conversation names.
token_events as (

    select
        conversation_id,
        unnest(['agent_a', 'agent_b']) as agent_id,
        'start' as kind,
        unnest([agent_a_model, agent_b_model]) as named_model,
        place,
        fingerprint

    from conversation_starts

    union all by name

    -- Texts are most of the bytes, and not to be sorted.
    select
        * exclude (content, model),
        'reply' as kind,
        model as named_model,
        coalesce({{ is_api_error_placeholder('content') }}, false) as is_failed

    from message_replies

    union all by name

    select
        * exclude (model),
        'report' as kind,
        model as named_model

    from token_reports

    union all by name

    select
        * exclude (thinking_content, model),
        'thinking' as kind,
        model as named_model

    from thinking_records

),

-- A report follows the reply that it is about. A reply that no report follows before the agent's
-- next one counts by itself; it does not name its model, so it is the one last named.
ordered_counts as (

    select
        *,
        kind = 'report' and is_of_call as is_report,
        last_value(nullif(named_model, '') ignore nulls) over so_far as model,
        lead(if(kind = 'reply' or is_report, is_report, null) ignore nulls) over so_far
            as is_reported_next

    from token_events

    window so_far as (
        partition by conversation_id, agent_id
        order by place
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
            kind = 'reply'
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
        thinking_tokens

    from ordered_counts

    where
        is_call
        or kind in ('report', 'thinking')

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
